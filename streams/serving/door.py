"""Callers who wait: their requests go into the log like all others, and they are answered when the answer is in it too.

So a caller is never told what the log lacks, windows and canaries hold for him as for everybody, and there is one way of scoring.
A request of his carries a header by which its answer finds him.
"""

from __future__ import annotations

import asyncio
import secrets
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from streams.contracts.errors import StreamsError, TransportError
from streams.contracts.schema import ModelSchema
from streams.dialects import native
from streams.dialects.base import Dialect, Limits, Refusal
from streams.transport.records import Output, Record

HEADER = "dw_door"
Write = Callable[[Sequence[Output]], Awaitable[None]]


class BusyError(StreamsError):
    """So many callers wait that one more would wait too long; nothing was written."""


class Answer(NamedTuple):
    """What a row was answered with; `refused` says why it has no score, and is empty otherwise."""

    score: float
    digest: str
    generation: int
    route: str
    refused: str = ""


class _Served(msgspec.Struct):
    score: float
    digest: str
    generation: int
    route: str


_decode_served = msgspec.json.Decoder(_Served).decode


def answer_of(prediction: bytes | None, refusal: Refusal | None) -> Answer:
    """Return what an encoded prediction answers; without one the row is in quarantine, refused or not scored."""
    if prediction is None:
        why = "not_scored: the model gave no score" if refusal is None else f"{refusal.reason}: {refusal.detail}"
        return Answer(float("nan"), "", 0, "", why)
    served = _decode_served(prediction)
    return Answer(served.score, served.digest, served.generation, served.route)


class Asked(NamedTuple):
    """A row that a caller asks about: its id, event time, columns by name, and the key that it shall have."""

    id: str
    time_ms: int
    columns: Mapping[str, float | str | None]
    key: bytes | None


class _Waiting(NamedTuple):
    """A request as it was written, and who waits for its answer."""

    request: bytes | None
    answer: asyncio.Future[Answer]


class Door:
    """The callers of one model in one process. It belongs to one event loop.

    Args:
        schema: the model's columns.
        topic: the model's requests.
        write: writes them; on return the broker has them all. It raises TransportError where some may not have been written.
        most: rows that may wait at once.
    """

    def __init__(self, schema: ModelSchema, topic: str, write: Write, most: int) -> None:
        self._schema = schema
        self._topic = topic
        self._write_all = write
        self._most = most
        self._secret = secrets.token_bytes(8)
        self._next = 0
        self._waiting: dict[bytes, _Waiting] = {}
        self._gathered: list[tuple[Sequence[Output], asyncio.Future[None]]] = []
        self._writing = asyncio.Lock()
        # Its records are native whatever the model's dialect is: it has decoded what the caller wrote.
        self.dialect: Dialect = native.open_dialect(schema, Limits(), {})

    def __len__(self) -> int:
        """Rows that wait."""
        return len(self._waiting)

    async def ask(self, rows: Sequence[Asked], partitions: Sequence[int], seconds: float) -> list[Answer] | Refusal:
        """Write rows as requests and wait for their answers; a refusal, of the first row that can't be used, writes nothing.

        Args:
            rows: what is asked.
            partitions: those of this process, ascending; at least one.
            seconds: how long is waited.

        Raises:
            BusyError: too many wait already.
            TimeoutError: the answers aren't there in time; they will be among the predictions.
            TransportError: the requests may not have been written.
        """
        written = [native.example(row.id, row.time_ms, row.columns) for row in rows]
        for message in written:
            found = self.dialect.decode(message)
            if isinstance(found, Refusal):
                return found
        if len(self._waiting) + len(rows) > self._most:
            raise BusyError(f"{len(self._waiting)} rows wait, and at most {self._most} may")
        tickets = [self._ticket(message.value) for message in written]
        outputs = [
            Output(self._topic, _place(row, partitions), row.key, message.value, ((HEADER, ticket),))
            for row, message, ticket in zip(rows, written, tickets, strict=True)
        ]
        answers = [self._waiting[ticket].answer for ticket in tickets]
        try:
            async with asyncio.timeout(seconds):
                await self._write(outputs)
                return list(await asyncio.gather(*answers))
        finally:
            for ticket in tickets:
                self._waiting.pop(ticket, None)

    def ticket_of(self, record: Record) -> bytes | None:
        """Return the header by which an answer finds who waits for it; None for a request of anybody else.

        Who reads the log can copy a header, but then the answer to what was asked is all that he can have given.
        """
        ticket = next((value for name, value in record.headers if name == HEADER and value in self._waiting), None)
        return ticket if ticket is not None and self._waiting[ticket].request == record.value else None

    def answer(self, answers: Mapping[bytes, Answer]) -> None:
        """Tell those who still wait; their answers are in the log."""
        for ticket, answer in answers.items():
            waiting = self._waiting.get(ticket)
            if waiting is not None and not waiting.answer.done():
                waiting.answer.set_result(answer)

    async def _write(self, outputs: Sequence[Output]) -> None:
        """Write with the next batch: while one is on its way, what comes gathers, and whoever is first then writes it for all."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gathered.append((outputs, written))
        async with self._writing:
            batch, self._gathered = self._gathered, []
            if batch:
                await self._write_batch(batch)
        await written

    async def _write_batch(self, batch: Sequence[tuple[Sequence[Output], asyncio.Future[None]]]) -> None:
        failure: TransportError | None = TransportError("who wrote the batch gave up")
        try:
            await self._write_all([output for outputs, _ in batch for output in outputs])
            failure = None
        except TransportError as error:
            failure = error
        finally:
            for _, written in batch:
                if not written.done():
                    written.set_result(None) if failure is None else written.set_exception(failure)

    def _ticket(self, request: bytes | None) -> bytes:
        ticket = self._secret + self._next.to_bytes(8)
        self._next += 1
        self._waiting[ticket] = _Waiting(request, asyncio.get_running_loop().create_future())
        return ticket


def _place(row: Asked, partitions: Sequence[int]) -> int:
    """The same partition for the same key, or the same id, while this process has the same ones."""
    named = row.id.encode() if row.key is None else row.key
    return partitions[zlib.crc32(named) % len(partitions)]
