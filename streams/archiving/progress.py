"""How far event time has come over everything that is archived, and which boundary that makes complete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streams.runtime.watermark import NEVER, WatermarkTracker, read_watermark
from streams.transport.records import Record, position_key


class Progress:
    """Watermarks of all input partitions.

    Args:
        expected: the partitions (`topic/number`) that make up a boundary, each with the one who writes its watermarks.
        every_ms: event time between boundaries; with None every watermark is one (live).
        marks: watermarks that were stored with the rows, by topic: their records won't be read again.
    """

    def __init__(self, expected: Iterable[tuple[str, str]], every_ms: int | None, marks: Mapping[str, Mapping[str, int]]) -> None:
        self._every_ms = every_ms
        self._expected = set(expected)
        self._tracker = WatermarkTracker(self._expected)
        self._marks: dict[str, dict[str, int]] = {}
        for topic, stored in marks.items():
            for mark, watermark_ms in stored.items():
                source, _, writer = mark.rpartition("/")
                self._note(topic, source, writer, watermark_ms)

    def observe(self, record: Record) -> bool:
        """Take a watermark record; false when it is another record."""
        found = read_watermark(record.key, record.headers)
        if found is None:
            return False
        self._note(record.topic, position_key(record.topic, record.partition), *found)
        return True

    @property
    def reached_ms(self) -> int:
        """The newest boundary before which nothing more will come, `NEVER` before the first."""
        current = self._tracker.current_ms
        if current == NEVER or self._every_ms is None:
            return current
        return current - current % self._every_ms

    def marks(self, topic: str) -> dict[str, int]:
        """Return the watermarks read from a topic, to be stored with its rows: `topic/partition/writer` to milliseconds."""
        return dict(self._marks.get(topic, {}))

    def _note(self, topic: str, source: str, writer: str, watermark_ms: int) -> None:
        if (source, writer) in self._expected:  # a topic is hostile: other names would only grow memory
            self._tracker.advance(source, writer, watermark_ms)
            known = self._marks.setdefault(topic, {})
            known[f"{source}/{writer}"] = max(known.get(f"{source}/{writer}", NEVER), watermark_ms)
