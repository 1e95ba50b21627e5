"""The proof from the topics themselves: each request has exactly one champion prediction or one quarantine entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

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
    time_ms: int


class _Quarantined(msgspec.Struct):
    topic: str
    partition: int
    offset: int


class Answer(NamedTuple):
    """One prediction: where its request stands, the event time, and when the broker appended it (epoch ms)."""

    position: Position
    time_ms: int
    appended_ms: int


class Seen(NamedTuple):
    """What the topics hold: when each request was appended (epoch ms), all predictions, how often each request was refused."""

    asked: dict[Position, int]
    answers: list[Answer]
    refused: Counter[Position]


async def check_delivery(bootstrap: str, *, requests: str, predictions: str, quarantine: str) -> Delivery:
    """Read the three topics to their ends, read_committed, and compare positions."""
    return delivery_of(await read_delivery(bootstrap, requests=requests, predictions=predictions, quarantine=quarantine))


async def read_delivery(bootstrap: str, *, requests: str, predictions: str, quarantine: str) -> Seen:
    """Read the three topics to their ends, read_committed."""
    asked = {(one.partition, one.offset): one.timestamp_ms for one in _plain(await _whole(bootstrap, requests))}
    answers = list(_answered(_plain(await _whole(bootstrap, predictions))))
    refused = Counter(_refused(_plain(await _whole(bootstrap, quarantine)), requests))
    return Seen(asked, answers, refused)


def delivery_of(seen: Seen) -> Delivery:
    """Compare the positions of requests and answers."""
    both = Counter(answer.position for answer in seen.answers) + seen.refused
    return Delivery(
        requests=len(seen.asked),
        predictions=len(seen.answers),
        quarantined=seen.refused.total(),
        missing=len(seen.asked.keys() - both.keys()),
        doubled=sum(count - 1 for count in both.values()) + len(both.keys() - seen.asked.keys()),
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


def _answered(records: Iterable[Record]) -> Iterable[Answer]:
    decode = msgspec.json.Decoder(_Source).decode
    for record in records:
        source = decode(record.value or b"")
        yield Answer((source.partition, source.offset), source.time_ms, record.timestamp_ms)


def _refused(records: Iterable[Record], topic: str) -> Iterable[Position]:
    decode = msgspec.json.Decoder(_Quarantined).decode
    for record in records:
        entry = decode(record.value or b"")
        if entry.topic == topic:
            yield entry.partition, entry.offset
