"""The proof from the topics themselves: each request has exactly one champion prediction or one quarantine entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from daemon.report.model import Delivery
from streams.contracts.records import MARKER_HEADER
from streams.runtime.watermark import read_watermark
from streams.transport.follower import Follower
from streams.transport.records import Record

Position = tuple[int, int]


class _Source(msgspec.Struct):
    partition: int
    offset: int


class _Quarantined(msgspec.Struct):
    topic: str
    partition: int
    offset: int


async def check_delivery(bootstrap: str, *, requests: str, predictions: str, quarantine: str) -> Delivery:
    """Read the three topics to their ends, read_committed, and compare positions."""
    asked = {(record.partition, record.offset) for record in _plain(await _whole(bootstrap, requests))}
    answers = Counter(_answered(_plain(await _whole(bootstrap, predictions))))
    refused = Counter(_refused(_plain(await _whole(bootstrap, quarantine)), requests))
    both = answers + refused
    return Delivery(
        requests=len(asked),
        predictions=answers.total(),
        quarantined=refused.total(),
        missing=len(asked - both.keys()),
        doubled=sum(count - 1 for count in both.values()) + len(both.keys() - asked),
    )


async def _whole(bootstrap: str, topic: str) -> list[Record]:
    follower = Follower(bootstrap, [topic])
    try:
        return await follower.start()
    finally:
        await follower.stop()


def _plain(records: Iterable[Record]) -> Iterable[Record]:
    for record in records:
        is_marker = any(name == MARKER_HEADER for name, _ in record.headers)
        if not is_marker and read_watermark(record.key, record.headers) is None:
            yield record


def _answered(records: Iterable[Record]) -> Iterable[Position]:
    decode = msgspec.json.Decoder(_Source).decode
    for record in records:
        source = decode(record.value or b"")
        yield source.partition, source.offset


def _refused(records: Iterable[Record], topic: str) -> Iterable[Position]:
    decode = msgspec.json.Decoder(_Quarantined).decode
    for record in records:
        entry = decode(record.value or b"")
        if entry.topic == topic:
            yield entry.partition, entry.offset
