"""One partition of another server's requests or answers to what serving or pairing reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from streams.contracts.partition import partition_of
from streams.contracts.records import TaskState
from streams.dialects.base import Answer, Refusal, Row
from streams.observing.pairs import Side
from streams.observing.reading import Answered, Read
from streams.runtime.protection import Protection
from streams.transport.quarantine import refused
from streams.transport.records import Output, Record, Result

SIDE_HEADER = "dw_side"
encode = msgspec.json.Encoder().encode


class NotedRequest(msgspec.Struct, gc=False):
    """A request on its way to its answer, with its place and its record's key."""

    id: str
    time_ms: int
    features: Any
    partition: int
    offset: int
    key: bytes | None


class AnsweredRequest(msgspec.Struct, gc=False):
    """A request and its answer on their way out: what `streams.dialects.base.answered_type` reads."""

    id: str
    time_ms: int
    features: Any
    partition: int
    offset: int
    score: float
    version: str | None


class Targets(NamedTuple):
    """Where records go: the topics of pairs to be made and of those that are whole, and how many partitions both have."""

    paired: str
    answered: str
    partitions: int


class Noting:
    """The processor of one partition. It has no memory.

    Args:
        model: the model's name.
        read: says what a record is.
        targets: where it goes.
        protection: of the requests' keys; None: there is nothing to protect.
    """

    def __init__(self, *, model: str, read: Read, targets: Targets, protection: Protection | None = None) -> None:
        self._model = model
        self._read = read
        self._targets = targets
        self._protection = protection
        self.counts: Counter[str] = Counter()

    def restore(self, state: TaskState | None) -> dict[str, int]:
        """Go on from the last committed position."""
        del state  # the position is all there is
        return {}

    async def process(self, records: Sequence[Record], rebuilding: bool) -> Result:  # noqa: FBT001 - never rebuilt
        """Pass requests and answers on; what can't be read goes to quarantine."""
        return Result(outputs=[self._output(record) for record in records])

    def _output(self, record: Record) -> Output:
        said = self._read(record)
        if isinstance(said, Refusal):
            self.counts[said.reason] += 1
            return refused(record, model=self._model, reason=said.reason, detail=said.detail, quarantined_ms=record.timestamp_ms)
        if isinstance(said, Answered):
            noted = self._noted(said.row, record)
            return Output(self._targets.answered, record.partition, noted.key, encode(answered(noted, said.answer)))
        if isinstance(said, Answer):
            return self._half("answer", said.id, encode(said))
        return self._half("request", said.id, encode(self._noted(said, record)))

    def _noted(self, row: Row, record: Record) -> NotedRequest:
        key = record.key if self._protection is None else self._protection.record_key(record.key)
        return NotedRequest(row.id, row.time_ms, row.features, record.partition, record.offset, key)

    def _half(self, side: Side, request_id: str, value: bytes) -> Output:
        place = partition_of(request_id, self._targets.partitions)
        return Output(self._targets.paired, place, request_id.encode(), value, ((SIDE_HEADER, side.encode()),))


def answered(request: NotedRequest, answer: Answer) -> AnsweredRequest:
    """Bring a request and its answer together."""
    return AnsweredRequest(
        request.id, request.time_ms, request.features, request.partition, request.offset, answer.score, answer.version
    )
