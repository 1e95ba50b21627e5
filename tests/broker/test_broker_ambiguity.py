"""Commits of which nobody can say whether they went through: the task reads its last state and folds again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.transaction import EndTxnRequest

from streams.contracts.errors import TransportError
from streams.transport.broker import EmbeddedBroker
from streams.transport.follower import Follower
from streams.transport.protocol import EndTxn
from streams.transport.task import StageRunner
from streams.transport.transactions import TransactionalProducer
from tests.broker.test_broker_exactly_once import check_sums, numbers
from tests.kit.running_sum import runner_of
from tests.kit.topics import make_topics, publish, read_all, read_until

Unique = Callable[[str], str]
Send = Callable[..., Awaitable[Any]]


@asynccontextmanager
async def running(runner: StageRunner) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(runner.run(stopping))
        yield
        stopping.set()


async def lose_answer(send: Send, *request: Any, **options: Any) -> Any:
    """The commit went through, its answer is lost."""
    await send(*request, **options)
    raise KafkaConnectionError("the answer was lost")


async def lose_request(send: Send, *request: Any, **options: Any) -> Any:
    """The commit never arrived."""
    raise KafkaConnectionError("the request was lost")


@pytest.mark.parametrize("lose", [lose_answer, lose_request])
async def test_a_lost_end_of_a_transaction_counts_nothing_twice(
    broker: EmbeddedBroker, unique: Unique, lose: Send, transactions: str
) -> None:
    source, output, state = await make_topics(broker.bootstrap, unique("in"), unique("out"), unique("state"))
    runner = runner_of(broker.bootstrap, unique("model"), (source, output, state))
    await publish(broker.bootstrap, numbers(source, 600))
    async with running(runner):
        await read_until(broker.bootstrap, output, 600)
        assert runner._crew is not None
        producer = dict(runner._crew.tasks)[0]._committer._writer
        assert isinstance(producer, TransactionalProducer)
        assert producer._is_new is (transactions == "new")
        send, lost = producer.client.send, []

        async def faulty(node: Any, request: Any, **options: Any) -> Any:
            if isinstance(request, EndTxn | EndTxnRequest) and not lost:
                lost.append(request)
                return await lose(send, node, request, **options)
            return await send(node, request, **options)

        producer.client.send = faulty
        await publish(broker.bootstrap, numbers(source, 600, 600))
        await read_until(broker.bootstrap, output, 1_200)
    check_sums([record.value for record in await read_all(broker.bootstrap, output)], 1_200)
    assert len(lost) == 1
    assert (runner.counters[0].aborted, runner.counters[0].recoveries) == (1, 1)
    assert runner.counters[0].rebuilt > 0


async def test_a_killed_broker_costs_time_and_nothing_else(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path) as first:
        source, output, state = await make_topics(first.bootstrap, "in", "out", "state")
        runner = runner_of(first.bootstrap, "m", (source, output, state))
        await publish(first.bootstrap, numbers(source, 4_000))
        async with running(runner):
            follower = Follower(first.bootstrap, [output])
            seen = len(await follower.start())
            while seen < 500:
                seen += len(await follower.poll(100))
            await follower.stop()
            (java,) = psutil.Process(first.pid).children()
            java.kill()
            await asyncio.to_thread(java.wait, 10)
            async with EmbeddedBroker(tmp_path) as second:
                assert second.bootstrap == first.bootstrap
                records = await read_until(second.bootstrap, output, 4_000, seconds=60)
                check_sums([record.value for record in records], 4_000)


async def test_a_topic_made_anew_is_refused(broker: EmbeddedBroker, unique: Unique) -> None:
    model, source, output, state = (unique(name) for name in ("model", "in", "out", "state"))
    await make_topics(broker.bootstrap, source, output, state)
    await publish(broker.bootstrap, numbers(source, 10))
    async with running(runner_of(broker.bootstrap, model, (source, output, state))):
        await read_until(broker.bootstrap, output, 10)
    (record, *_) = reversed(await read_all(broker.bootstrap, state))
    forged = (record.value or b"").replace(b'/0":10', b'/0":11')
    await publish(broker.bootstrap, [msgspec.structs.replace(numbers(state, 1)[0], value=forged)])
    with pytest.raises(TransportError, match="deleted and made again"):
        await runner_of(broker.bootstrap, model, (source, output, state)).run(asyncio.Event())


async def test_a_missing_topic_is_named(broker: EmbeddedBroker, unique: Unique) -> None:
    source, output, state = unique("in"), unique("out"), unique("state")
    await make_topics(broker.bootstrap, output, state)
    with pytest.raises(TransportError, match=f"no topic {source}"):
        await runner_of(broker.bootstrap, unique("model"), (source, output, state)).run(asyncio.Event())
    await make_topics(broker.bootstrap, source)
    with pytest.raises(TransportError, match=r"has 1 partitions, .* needs 2"):
        await runner_of(broker.bootstrap, unique("model"), (source, output, state), partitions=2).run(asyncio.Event())
