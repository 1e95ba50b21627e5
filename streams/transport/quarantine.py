"""The record that goes to quarantine in the same transaction as the outputs of its micro-batch."""

from __future__ import annotations

import msgspec

from streams.contracts.records import Rejected
from streams.contracts.topics import topic_name
from streams.transport.records import Output, Record, position_key

MOST_BYTES = 256 * 1024
MOST_HEADER_BYTES = 16 * 1024
MOST_KEY_BYTES = 4 * 1024
MOST_DETAIL = 2_000


def refused(record: Record, *, model: str, reason: str, detail: str, quarantined_ms: int) -> Output:
    """Make the output for a record that could not be used.

    What comes from a topic is hostile: of the value at most `MOST_BYTES` are kept, of the detail `MOST_DETAIL` characters, and
    keys and headers that are larger than theirs not at all; a record that isn't whole says so. The reason and the source position
    are headers too, so that they can be counted without decoding the value.
    """
    value = record.value or b""
    fits_headers = sum(len(name) + len(text) for name, text in record.headers) <= MOST_HEADER_BYTES
    fits_key = len(record.key or b"") <= MOST_KEY_BYTES
    kept = Rejected(
        model=model,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=reason,
        detail=detail[:MOST_DETAIL],
        value=value[:MOST_BYTES],
        quarantined_ms=quarantined_ms,
        key=record.key if fits_key else None,
        headers=list(record.headers) if fits_headers else [],
        cut=len(value) > MOST_BYTES or not fits_headers or not fits_key,
    )
    headers = (
        ("dw_reason", reason.encode()),
        ("dw_source", f"{position_key(record.topic, record.partition)}/{record.offset}".encode()),
        ("dw_bytes", str(len(value)).encode()),
    )
    return Output(topic_name("quarantine"), None, model.encode(), msgspec.json.encode(kept), headers)
