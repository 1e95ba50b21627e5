"""One internal partition of requests and answers to answered requests."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from streams.contracts.errors import ContractError
from streams.contracts.records import TaskState
from streams.dialects.base import Answer
from streams.observing.note import SIDE_HEADER, NotedRequest, answered, encode
from streams.observing.pairs import Pair, Pairs, Side
from streams.runtime.logging import Log
from streams.transport.records import Output, Record, Result, position_key

log = Log("streams.observing.pair")

_REQUESTS = msgspec.json.Decoder(NotedRequest)
_ANSWERS = msgspec.json.Decoder(Answer)
_SIDES: dict[bytes, Side] = {b"request": "request", b"answer": "answer"}


class Pairing:
    """The processor of one internal partition.

    Args:
        number: the partition.
        paired: the topic that is read.
        target: the topic of answered requests.
        patience_ms: how long an id is remembered.
        most: ids remembered.
    """

    def __init__(self, number: int, *, paired: str, target: str, patience_ms: int, most: int) -> None:
        self._number = number
        self._place = position_key(paired, number)
        self._target = target
        self._patience_ms = patience_ms
        self._most = most
        self._begin(None)

    def restore(self, state: TaskState | None) -> dict[str, int]:
        """Fold the memory again from the oldest id that is remembered."""
        self._begin(state)
        return state.rebuild_from if state is not None else {}

    async def process(self, records: Sequence[Record], rebuilding: bool) -> Result:  # noqa: FBT001 - the one question there is
        """Bring together what belongs together."""
        if not rebuilding:
            self.pairs.settle()
        outputs = [output for record in records if (output := self._take(record)) is not None]
        first = self.pairs.first()
        begin = first if first is not None else records[-1].offset + 1
        return Result(outputs=outputs, rebuild_from={self._place: begin}, details={"counts": dict(self.pairs.counts)})

    def _begin(self, state: TaskState | None) -> None:
        counts = state.details.get("counts", {}) if state is not None else {}
        self.pairs = Pairs(self._patience_ms, self._most, counts=counts, rebuilding=state is not None)

    def _take(self, record: Record) -> Output | None:
        try:
            side = _side_of(record)
            pair = self.pairs.add(side, (record.key or b"").decode(), record.value or b"", record.offset, record.timestamp_ms)
            return None if pair is None else self._answered(pair)
        except (ContractError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            # Only this stage writes here; whatever else is there counts nowhere.
            log.warning("RecordUnreadable", place=self._place, offset=record.offset, error=str(error))
            return None

    def _answered(self, pair: Pair) -> Output:
        request = _REQUESTS.decode(pair.request)
        return Output(self._target, self._number, request.key, encode(answered(request, _ANSWERS.decode(pair.answer))))


def _side_of(record: Record) -> Side:
    side = next((_SIDES.get(value) for name, value in record.headers if name == SIDE_HEADER), None)
    if side is None or not record.key:
        raise ContractError("neither a request nor an answer")
    return side
