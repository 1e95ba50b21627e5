"""Letting go of a consumer, also while no broker answers."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer


async def close_consumer(consumer: AIOKafkaConsumer) -> None:
    """Disconnect a consumer; once it was called, later calls have no effect.

    aiokafka 0.14 awaits the fetches that it has just cancelled. One that was pausing after a failure, as all do during an outage,
    ends `stop` with its own CancelledError: whoever lets it pass looks cancelled, though nobody cancelled it, and the connections
    stay open.
    """
    try:
        await consumer.stop()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        await consumer._client.close()  # noqa: SLF001 - what `stop` would have done next
