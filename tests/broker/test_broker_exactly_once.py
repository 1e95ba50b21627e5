"""Every record counts once, whatever dies."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from streams.contracts.errors import FencedError
from streams.transport.broker import EmbeddedBroker
from streams.transport.follower import Follower
from streams.transport.records import Output
from tests.kit.running_sum import Sum, runner_of
from tests.kit.topics import make_topics, publish, read_all, read_until

Unique = Callable[[str], str]
RECORDS = 5_000


def numbers(topic: str, count: int, first: int = 0) -> list[Output]:
    return [Output(topic, 0, str(i).encode(), str(i * 7 % 1_000).encode()) for i in range(first, first + count)]


def check_sums(values: list[bytes | None], count: int) -> None:
    sums = [msgspec.json.decode(value or b"", type=Sum) for value in values]
    assert len(sums) == count
    total = 0
    for place, found in enumerate(sums):
        total += place * 7 % 1_000
        assert (found.offset, found.number, found.total) == (place, place * 7 % 1_000, total)


async def start_worker(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-W", "error", "-m", "tests.kit.running_sum", *arguments)


async def test_five_kills_lose_and_double_nothing(broker: EmbeddedBroker, unique: Unique) -> None:
    topics = await make_topics(broker.bootstrap, unique("in"), unique("out"), unique("state"))
    await publish(broker.bootstrap, numbers(topics[0], RECORDS))
    arguments = (broker.bootstrap, unique("model"), *topics, "exactly_once")
    follower = Follower(broker.bootstrap, [topics[1]])
    outputs = await follower.start()
    for kill in range(1, 6):
        worker = await start_worker(*arguments)
        while len(outputs) < kill * 700:
            outputs += await follower.poll(5)
        worker.send_signal(signal.SIGKILL)
        await worker.wait()
    assert len(outputs) < RECORDS, "the last kill came too late to prove anything"
    worker = await start_worker(*arguments)
    while len(outputs) < RECORDS:
        outputs += await follower.poll(50)
    await follower.stop()
    worker.send_signal(signal.SIGTERM)
    assert await worker.wait() == 0
    check_sums([record.value for record in await read_all(broker.bootstrap, topics[1])], RECORDS)


async def run_until(broker: EmbeddedBroker, model: str, topics: tuple[str, ...], count: int, delivery: str = "exactly_once"):
    runner = runner_of(broker.bootstrap, model, (topics[0], topics[1], topics[2]), delivery=delivery)
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(runner.run(stopping))
        records = await read_until(broker.bootstrap, topics[1], count)
        stopping.set()
    return runner, records


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
async def test_a_graceful_stop_repeats_nothing(broker: EmbeddedBroker, unique: Unique, delivery: str) -> None:
    topics = await make_topics(broker.bootstrap, unique("in"), unique("out"), unique("state"))
    model = unique("model")
    for count in (1_000, 2_000):
        await publish(broker.bootstrap, numbers(topics[0], 1_000, count - 1_000))
        runner, records = await run_until(broker, model, topics, count, delivery)
        check_sums([record.value for record in records], count)
        assert runner.counters[0].records == 1_000
        assert runner.counters[0].aborted == 0
    assert runner.counters[0].rebuilt == 500


async def test_a_zombie_is_fenced(broker: EmbeddedBroker, unique: Unique) -> None:
    topics = await make_topics(broker.bootstrap, unique("in"), unique("out"), unique("state"))
    model = unique("model")
    await publish(broker.bootstrap, numbers(topics[0], 100))
    stopping = asyncio.Event()
    old = runner_of(broker.bootstrap, model, (topics[0], topics[1], topics[2]))
    async with asyncio.TaskGroup() as group:
        zombie = group.create_task(_error_of(old.run(stopping)))
        await read_until(broker.bootstrap, topics[1], 100)
        new = runner_of(broker.bootstrap, model, (topics[0], topics[1], topics[2]))
        group.create_task(new.run(stopping))
        for _ in range(300):
            if new.counters[0].rebuilt == 100:
                break
            await asyncio.sleep(0.01)
        await publish(broker.bootstrap, numbers(topics[0], 100, 100))
        records = await read_until(broker.bootstrap, topics[1], 200)
        assert isinstance(await zombie, FencedError)
        stopping.set()
    check_sums([record.value for record in records], 200)


async def _error_of(work: Awaitable[None]) -> Exception | None:
    try:
        await work
    except FencedError as error:
        return error
    return None
