"""A requests record to what it is: a row, a refusal, or a watermark of the source."""

from __future__ import annotations

from collections.abc import Callable

from streams.dialects.base import Dialect, Refusal, Row
from streams.runtime.watermark import read_watermark
from streams.serving.door import HEADER
from streams.transport.quarantine import MOST_KEY_BYTES
from streams.transport.records import Record

SOURCE = "source"

What = Row | Refusal | int
"""What a record is; an integer is a watermark in milliseconds."""


def reader(dialect: Dialect, ahead_ms: int, *, door: Dialect, is_replay: bool) -> Callable[[Record], What]:
    """Return the function that reads a model's requests; those that came by a door are written in a dialect of their own.

    In a replay the source's watermarks are believed. Live nobody's are (a caller could stop event time or push it), and
    event times more than `ahead_ms` after the broker got the record are absurd. A key longer than `MOST_KEY_BYTES` is refused:
    the prediction carries it too, and what is as large as a topic allows would be too large with anything added.
    """

    def decoded(record: Record) -> Row | Refusal:
        if record.key is not None and len(record.key) > MOST_KEY_BYTES:
            return Refusal("too_large", f"the record's key has {len(record.key)} bytes, more than {MOST_KEY_BYTES}")
        if record.headers and any(name == HEADER for name, _ in record.headers):
            return door.decode(record)
        return dialect.decode(record)

    def replayed(record: Record) -> What:
        watermark = read_watermark(record.key, record.headers)
        if watermark is not None and watermark[0] == SOURCE:
            return watermark[1]
        return decoded(record)

    def live(record: Record) -> What:
        row = decoded(record)
        if not isinstance(row, Refusal) and row.time_ms - record.timestamp_ms > ahead_ms:
            return Refusal("absurd_time", f"time_ms: more than {ahead_ms} ms after the broker got the record")
        return row

    return replayed if is_replay else live
