"""Reading a topic once, record by record, without holding it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.contracts.errors import TransportError
from streams.transport.admin import topic_partitions
from streams.transport.closing import close_consumer
from streams.transport.follower import START_SECONDS, new_consumer
from streams.transport.records import Record, from_wire


async def scan(bootstrap: str, topic: str, *, since_ms: int = 0) -> AsyncIterator[Record]:
    """Yield the committed records of a topic up to its ends as they are at the time of the call, in order within a partition.

    Args:
        bootstrap: `host:port` of the broker.
        topic: what is read.
        since_ms: only records that the broker got at this time (epoch ms) or later.

    Raises:
        TransportError: the topic isn't there, or no broker answers.
    """
    partitions = [TopicPartition(topic, number) for number in range(await topic_partitions(bootstrap, topic))]
    consumer = new_consumer(bootstrap, "driftwake.scan")
    consumer.assign(partitions)
    try:
        async with asyncio.timeout(START_SECONDS):
            await consumer.start()
            left = await _begin(consumer, partitions, since_ms)
        while left:
            async with asyncio.timeout(START_SECONDS):
                fetched = await consumer.getmany(*left, timeout_ms=200)
            for messages in fetched.values():
                for message in messages:
                    yield from_wire(message)
            left = {place: end for place, end in left.items() if await consumer.position(place) < end}
    except (KafkaError, TimeoutError, OSError) as error:
        raise TransportError(f"reading {topic} at {bootstrap}: {error!r}") from error
    finally:
        await close_consumer(consumer)


async def _begin(consumer: AIOKafkaConsumer, partitions: list[TopicPartition], since_ms: int) -> dict[TopicPartition, int]:
    """Go to where the time begins, and return the ends of the partitions that have anything from there on."""
    ends = await consumer.end_offsets(partitions)
    places = await consumer.offsets_for_times(dict.fromkeys(partitions, since_ms))
    begins = {place: found.offset for place, found in places.items() if found is not None}
    for place, begin in begins.items():
        consumer.seek(place, begin)
    return {place: ends[place] for place, begin in begins.items() if begin < ends[place]}
