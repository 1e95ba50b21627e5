"""Watermarks as records: how far event time has come, said by whoever writes a topic.

A watermark record has the header `dw_watermark` (milliseconds) and a key that names its writer, `dw:watermark:<writer>`;
its value is empty (not null: that would be a tombstone). It promises: this writer will put no record with an earlier event
time behind it in this partition. A partition may have several writers (a re-keyed topic does), so the watermark of a
partition is the minimum over its writers, and that of a task the minimum over its partitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

HEADER = "dw_watermark"
NEVER = -1
SOURCE = "source"
"""Who writes the watermarks of a recorded stream into the topics that it is played to."""

# Milliseconds until the year 5138; int() of very long digits would raise.
_MOST_DIGITS = 14


def watermark_record(writer: str, watermark_ms: int) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """Return key, value and headers of a watermark record."""
    return f"dw:watermark:{writer}".encode(), b"", [(HEADER, str(watermark_ms).encode())]


def read_watermark(key: bytes | None, headers: Sequence[tuple[str, bytes]]) -> tuple[str, int] | None:
    """Return (writer, watermark in ms) of a watermark record, None for any other record. Never raises: any bytes may come."""
    for name, value in headers:
        if name == HEADER and key is not None and value.isdigit() and len(value) <= _MOST_DIGITS:
            return key.decode(errors="replace").rpartition(":")[2], int(value)
    return None


class WatermarkTracker:
    """The minimum over all expected (input, writer) pairs; inputs are any hashable names of partitions.

    Until every expected writer has spoken the watermark is `NEVER`.
    """

    def __init__(self, expected: Iterable[tuple[str, str]]) -> None:
        self._seen: dict[tuple[str, str], int] = dict.fromkeys(expected, NEVER)

    def advance(self, source: str, writer: str, watermark_ms: int) -> bool:
        """Note a watermark; true when the minimum moved."""
        before = self.current_ms
        known = self._seen.get((source, writer))
        if known is not None and watermark_ms > known:
            self._seen[source, writer] = watermark_ms
        return self.current_ms > before

    @property
    def current_ms(self) -> int:
        """The minimum over all expected writers."""
        return min(self._seen.values(), default=NEVER)

    def seen(self) -> list[tuple[str, str, int]]:
        """What every writer said, as (input, writer, watermark): plain data for a state record."""
        return [(source, writer, watermark_ms) for (source, writer), watermark_ms in self._seen.items()]

    def recall(self, seen: Iterable[Sequence[str | int]]) -> None:
        """Take in what `seen` gave before a restart; pairs that are no longer expected are left out."""
        for source, writer, watermark_ms in seen:
            self.advance(str(source), str(writer), int(watermark_ms))
