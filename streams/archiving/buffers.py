"""Records that wait for the next flush, and when that is due. Pure: the stage reads, writes and tells the time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from streams.archiving.config import ArchivingConfig
from streams.archiving.progress import Progress
from streams.contracts.records import MARKER_HEADER
from streams.runtime.watermark import NEVER
from streams.transport.records import Record, position_key


class Batch(NamedTuple):
    """What one table gets in one commit: records in the order read, the offsets behind them, and the watermarks read."""

    topic: str
    records: Sequence[Record]
    positions: dict[str, int]
    marks: dict[str, int]


class Buffers:
    """Records of all topics of one model.

    Positions move only with records, never with a watermark alone: a watermark that no commit has stored is read again after
    a restart. One that was stored comes back through `Progress`.

    Args:
        config: the stage's settings.
        progress: the model's watermarks.
        positions: next offsets by `topic/partition` as the lake has them; records before them are dropped.
        replay: whether only event time counts.
        now_s: the wall clock's monotonic seconds.
    """

    def __init__(
        self, config: ArchivingConfig, progress: Progress, positions: Mapping[str, int], *, replay: bool, now_s: float
    ) -> None:
        self._config = config
        self._progress = progress
        self._positions = dict(positions)
        self._replay = replay
        self._waiting: dict[str, list[Record]] = {}
        self._rows = 0
        self._bytes = 0
        self._flushed_s = now_s
        self._said_ms = NEVER

    def take(self, records: Iterable[Record]) -> None:
        """Take records in offset order per partition."""
        for record in records:
            if self._progress.observe(record) or _is_marker(record):
                continue
            key = position_key(record.topic, record.partition)
            if record.offset >= self._positions.get(key, 0):
                self._positions[key] = record.offset + 1
                self._waiting.setdefault(record.topic, []).append(record)
                self._rows += 1
                self._bytes += len(record.value or b"")

    @property
    def is_full(self) -> bool:
        """Whether a limit on memory is reached."""
        return self._rows >= self._config.flush_rows or self._bytes >= self._config.flush_bytes

    def is_due(self, now_s: float) -> bool:
        """Say whether to flush now: memory is full, a boundary has passed, or live rows have waited long enough."""
        if self.is_full or (self._replay and self._progress.reached_ms > self._said_ms):
            return True
        has_news = self._rows > 0 or self._progress.reached_ms > self._said_ms
        return not self._replay and has_news and now_s - self._flushed_s >= self._config.flush_seconds

    def drain(self, now_s: float) -> tuple[list[Batch], int | None]:
        """Hand over everything, and the boundary that is complete once it is written (None when it was said before)."""
        batches = [self._batch(topic, records) for topic, records in self._waiting.items()]
        self._waiting = {}
        self._rows = self._bytes = 0
        self._flushed_s = now_s
        reached = self._progress.reached_ms
        if reached <= self._said_ms:
            return batches, None
        self._said_ms = reached
        return batches, reached

    def _batch(self, topic: str, records: list[Record]) -> Batch:
        keys = {position_key(topic, record.partition) for record in records}
        return Batch(topic, records, {key: self._positions[key] for key in keys}, self._progress.marks(topic))


def _is_marker(record: Record) -> bool:
    return any(name == MARKER_HEADER for name, _ in record.headers)
