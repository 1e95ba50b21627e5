"""A requests record to what it is: a row (with its answer, where another server gave it), a refusal, or a source's watermark."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from streams.contracts.schema import ModelSchema
from streams.dialects.base import Dialect, Limits, Message, Refusal, Row, answered_type
from streams.runtime.protection import Protection
from streams.runtime.watermark import SOURCE, read_watermark
from streams.serving.door import HEADER
from streams.transport.quarantine import MOST_KEY_BYTES
from streams.transport.records import Record

What = Row | Refusal | int
"""What a record is; an integer is a watermark in milliseconds."""


def reader(
    dialect: Dialect, ahead_ms: int, *, door: Dialect, is_replay: bool, protection: Protection | None = None
) -> Callable[[Record], What]:
    """Return the function that reads a model's requests; those that came by a door are written in a dialect of their own.

    In a replay the source's watermarks are believed. Live nobody's are (a caller could stop event time or push it), and
    event times more than `ahead_ms` after the broker got the record are absurd. A key longer than `MOST_KEY_BYTES` is refused:
    the prediction carries it too, and what is as large as a topic allows would be too large with anything added. Protected
    columns leave this function protected; where there are none, nothing is spent on that.
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

    read = replayed if is_replay else live
    return read if protection is None else _protecting(read, protection)


def _protecting(read: Callable[[Record], What], protection: Protection) -> Callable[[Record], What]:
    def protected(record: Record) -> What:
        what = read(record)
        if not isinstance(what, int | Refusal):
            protection.protect(what.features)
        return what

    return protected


class AnsweredDialect:
    """What observing writes: requests with the answers of another server, all checked before."""

    def __init__(self, schema: ModelSchema) -> None:
        self._decode = msgspec.json.Decoder(answered_type(schema, Limits())).decode

    def decode(self, message: Message) -> Row | Refusal:
        """Decode one record; never raises."""
        try:
            row: Row = self._decode(message.value or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return Refusal("not_json", str(error))
        return row
