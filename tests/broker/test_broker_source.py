"""One consumer for many partitions: who is full waits alone, who seeks gets nothing from before, who leaves gets nothing more."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable

from streams.transport.broker import EmbeddedBroker
from streams.transport.inputs import Inputs
from streams.transport.records import Output
from streams.transport.source import FETCH_BYTES, Source
from tests.kit.topics import make_topics, publish

Unique = Callable[[str], str]

SECONDS = 20.0


@contextlib.asynccontextmanager
async def pumping(broker: EmbeddedBroker, topic: str, partitions: int) -> AsyncIterator[Source]:
    source = Source(broker.bootstrap, [(topic, number) for number in range(partitions)], "test")
    await source.start()
    try:
        async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
            pump = group.create_task(source.pump())
            yield source
            pump.cancel()
    finally:
        await source.stop()


async def taken(inputs: Inputs, count: int) -> list[int]:
    """Take until so many have come; return their values."""
    values: list[int] = []
    while len(values) < count:
        await inputs.wait(SECONDS)
        values += [int((record.value or b"").split()[0]) for record in inputs.take()]
    return values


async def test_a_full_mailbox_waits_while_the_others_go_on(broker: EmbeddedBroker, unique: Unique) -> None:
    (topic,) = await make_topics(broker.bootstrap, unique("shared"), partitions=2)
    noise = random.Random(0)  # noqa: S311 - what can't be compressed, the same each time
    size, each = 1_000, 100
    count = 4 * FETCH_BYTES // size // each * each
    for begin in range(0, count, each):
        values = [b"%d %b" % (number, noise.randbytes(size)) for number in range(begin, begin + each)]
        await publish(broker.bootstrap, [Output(topic, 0, None, value) for value in values])
    async with pumping(broker, topic, 2) as source:
        slow, quick = Inputs(source, [(topic, 0)], 100), Inputs(source, [(topic, 1)], 100)
        slow.seek({(topic, 0): 0})
        quick.seek({(topic, 1): 0})
        await slow.wait(SECONDS)
        for number in range(5):
            await publish(broker.bootstrap, [Output(topic, 1, None, b"%d" % number)])
            assert await taken(quick, 1) == [number]
        held = len(slow)
        assert 100 <= held <= 100 + FETCH_BYTES // size, "one fetch more than is full, and no further one"
        assert await taken(slow, count) == list(range(count)), "each once and in order, over all its pauses"


async def test_what_is_sought_begins_there_and_nowhere_else(broker: EmbeddedBroker, unique: Unique) -> None:
    (topic,) = await make_topics(broker.bootstrap, unique("sought"), partitions=2)
    sought, beside = (topic, 0), (topic, 1)
    await publish(broker.bootstrap, [Output(topic, number % 2, None, b"%d" % (number // 2)) for number in range(20_000)])
    async with pumping(broker, topic, 2) as source:
        inputs = Inputs(source, [sought, beside], 500)
        assert await inputs.bounds() == {sought: (0, 10_000), beside: (0, 10_000)}
        inputs.seek({sought: 0, beside: 0})
        others: list[int] = []
        for start in (3_000, 7_000, 200, 9_999):
            inputs.seek({sought: start})
            values: list[int] = []
            while not values:
                await inputs.wait(SECONDS)
                others += [record.offset for record in inputs.take({beside: 10_000})]
                values += [int(record.value or b"") for record in inputs.take({sought: 10_000})]
            assert values == list(range(start, start + len(values)))
        while len(others) < 10_000:
            await inputs.wait(SECONDS)
            others += [record.offset for record in inputs.take({beside: 10_000})]
        assert others == list(range(10_000)), "who doesn't seek misses nothing"


async def test_another_reader_takes_a_partition_over(broker: EmbeddedBroker, unique: Unique) -> None:
    (topic,) = await make_topics(broker.bootstrap, unique("handed"), partitions=2)
    await publish(broker.bootstrap, [Output(topic, number % 2, None, b"%d" % (number // 2)) for number in range(2_000)])
    async with pumping(broker, topic, 2) as source:
        first, stays = Inputs(source, [(topic, 0)], 10), Inputs(source, [(topic, 1)], 10)
        first.seek({(topic, 0): 0})
        stays.seek({(topic, 1): 0})
        await first.wait(SECONDS)
        first.leave()
        first.take()
        held = len(first)
        await publish(broker.bootstrap, [Output(topic, number, None, b"1000") for number in range(2)])
        assert await taken(stays, 1_001) == list(range(1_001))
        assert len(first) == held, "who left gets nothing more"
        second = Inputs(source, [(topic, 0)], 10)
        second.seek({(topic, 0): 400})
        assert await taken(second, 601) == list(range(400, 1_001))
