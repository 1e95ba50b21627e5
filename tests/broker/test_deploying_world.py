from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from daemon.deploying.stage import KafkaWorld
from daemon.deploying.world import serving_of
from daemon.ledger.audit import Head
from streams.contracts.records import CHAMPION, Deployment, Slot, WorkerReport
from streams.contracts.topics import TABLE, topic_name
from streams.runtime.clock import SystemClock
from streams.transport.admin import ensure_topics
from streams.transport.broker import EmbeddedBroker
from streams.transport.follower import Follower
from streams.transport.publisher import Publisher
from streams.transport.records import Output
from tests.kit.serving import SIGNER


@asynccontextmanager
async def world_of(broker: EmbeddedBroker, model: str) -> AsyncIterator[KafkaWorld]:
    world = KafkaWorld(broker.bootstrap, model, "epoch", SystemClock(), SIGNER)
    await world.start()
    try:
        yield world
    finally:
        await world.stop()


def deployment(model: str, generation: int) -> Deployment:
    slot = Slot(name=CHAMPION, digest="d")
    return Deployment(model=model, generation=generation, active=(slot,), effective_ms=0, reason="r")


async def test_deployments_survive_and_reports_arrive(broker: EmbeddedBroker, unique: Callable[[str], str]) -> None:
    model = unique("deploying").replace(".", "_")
    kinds = {topic_name(kind): TABLE[kind] for kind in ("deployments", "workers", "audit")}
    await ensure_topics(broker.bootstrap, kinds, 1)
    publisher = Publisher(broker.bootstrap)
    async with world_of(broker, model) as world:
        assert await world.deployment() is None
        await world.publish(deployment(model, 1))
        await world.publish(deployment(model, 2))
        for value in (b"not json", msgspec.json.encode(deployment(model, 9))):
            await publisher.send(Output(topic_name("deployments"), 0, model.encode(), value))
        assert await world.deployment() == deployment(model, 2), "nobody has signed the others"
        assert not await world.until(lambda reports: serving_of(reports, 2, 1) is not None, 0.3)
        report = WorkerReport(stage="serving", model=model, partition=0, epoch="e", generation=2, ready=("d",))
        await publisher.send(Output(topic_name("workers"), 0, f"serving/{model}/0".encode(), msgspec.json.encode(report)))
        assert await world.until(lambda reports: serving_of(reports, 2, 1) is not None, 30)
        await world.report(77, Head(5, "f" * 64))
    async with world_of(broker, model) as world:
        assert await world.deployment() == deployment(model, 2)
        own = [one for one in world.reports() if one.stage == "daemon"]
        assert [(one.watermark_ms, one.generation) for one in own] == [(77, 2)]
    written = Follower(broker.bootstrap, [topic_name("deployments")])
    last = [record for record in await written.start() if record.key == model.encode()][-1]
    await written.stop()
    assert msgspec.json.decode(last.value or b"", type=Deployment) == deployment(model, 2), "compaction keeps the last"
    heads = Follower(broker.bootstrap, [topic_name("audit")])
    found = [record.value for record in await heads.start()]
    await heads.stop()
    await publisher.stop()
    assert msgspec.json.encode({"number": 5, "hash": "f" * 64}) in found
