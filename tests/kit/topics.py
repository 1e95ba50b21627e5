"""Topics of tests on the real broker."""

from __future__ import annotations

from collections.abc import Sequence

from streams.contracts.topics import TopicKind
from streams.transport.admin import ensure_topics
from streams.transport.follower import Follower
from streams.transport.publisher import Publisher
from streams.transport.records import Output, Record

PLAIN = TopicKind(pattern="", key="none", partitions="input")


async def make_topics(bootstrap: str, *names: str, partitions: int = 1) -> tuple[str, ...]:
    """Make topics with as many partitions; returns the names."""
    await ensure_topics(bootstrap, dict.fromkeys(names, PLAIN), partitions)
    return names


async def publish(bootstrap: str, outputs: Sequence[Output]) -> None:
    """Write records."""
    publisher = Publisher(bootstrap)
    await publisher.start()
    try:
        await publisher.send_many(outputs)
    finally:
        await publisher.stop()


async def read_all(bootstrap: str, *topics: str) -> list[Record]:
    """Read every committed record."""
    follower = Follower(bootstrap, topics)
    try:
        return await follower.start()
    finally:
        await follower.stop()


async def read_until(bootstrap: str, topic: str, count: int, seconds: float = 30.0) -> list[Record]:
    """Read from the beginning until there are `count` committed records, and all that is there then."""
    follower = Follower(bootstrap, [topic])
    records = await follower.start()
    try:
        for _ in range(int(seconds * 10)):
            if len(records) >= count:
                break
            records += await follower.poll(100)
        return records
    finally:
        await follower.stop()
