"""Whatever happens to workers, broker, records and deployments: a request gets one answer, of the generation that the log names.

`make faults SEEDS=0-19` draws each case twenty times; a case takes seconds, so shards are ranges of seeds.
"""

from __future__ import annotations

import functools
import math
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from streams.contracts.records import Canary, Slot
from streams.runtime.signing import Signer
from streams.transport.broker import EmbeddedBroker
from streams.transport.deployments import deployment_output
from streams.transport.records import Output
from tests.faults.fault_world import World, world_of
from tests.kit.bundles import make_bundle
from tests.kit.serving import PARTITIONS, SIGNER, SKEW_MS

pytestmark = pytest.mark.full

TOTAL = 3_000
MIB = 1 << 20
Unique = Callable[[str], str]


@pytest_asyncio.fixture
async def world(broker: EmbeddedBroker, unique: Unique, tmp_path: Path, fault_seed: int) -> AsyncIterator[World]:
    async with world_of(broker.bootstrap, unique("toys"), tmp_path, fault_seed) as world:
        yield world


async def test_a_worker_is_killed_again_and_again(world: World) -> None:
    await world.start("a")
    for _ in range(3):
        world.at(world.random.uniform(0.05, 0.9), lambda: world.restart("a"))
    world.swap_often()
    await world.run(TOTAL)


async def test_workers_join_and_leave(world: World) -> None:
    await world.start("a")
    for name in ("b", "c"):
        world.at(world.random.uniform(0.05, 0.3), functools.partial(world.start, name))
        world.at(world.random.uniform(0.4, 0.9), functools.partial(world.leave, name))
    world.at(0.35, world.until_two_share)
    world.swap_often()
    await world.run(TOTAL)


async def test_one_of_two_workers_dies_and_the_other_takes_over(world: World) -> None:
    for name in ("a", "b"):
        await world.start(name)
    world.at(0.0, lambda: world.until_shared("a", "b"))
    world.at(world.random.uniform(0.1, 0.7), lambda: world.kill(world.random.choice(["a", "b"])))
    world.swap_often()
    await world.run(TOTAL)


async def test_a_zombie_wakes_up_when_its_partitions_are_another_s(world: World) -> None:
    for name in ("a", "b"):
        await world.start(name)
    world.at(0.0, lambda: world.until_shared("a", "b"))
    halted = world.random.uniform(0.1, 0.5)

    async def halt() -> None:
        world.halt("a")
        await world.until_shared("b")

    async def wake() -> None:
        world.wake("a")

    world.at(halted, halt)
    world.at(halted, wake)
    world.swap_often()
    await world.run(TOTAL)


async def test_the_broker_is_restarted(unique: Unique, tmp_path: Path, fault_seed: int) -> None:
    async with (
        EmbeddedBroker(tmp_path / "broker", brief=True) as broker,
        world_of(broker.bootstrap, unique("toys"), tmp_path, fault_seed) as world,
    ):
        await world.start("a")

        async def restart() -> None:
            await broker.stop()
            await broker.start()

        world.at(world.random.uniform(0.1, 0.8), restart)
        world.swap_often()
        await world.run(TOTAL)


async def test_a_record_of_20_mib_is_put_aside(world: World) -> None:
    topic = f"{world.model}.requests"
    admin = AIOKafkaAdminClient(bootstrap_servers=world.bootstrap)
    await admin.start()
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": str(32 * MIB)})])
    await admin.close()
    await world.start("a")

    async def send() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=world.bootstrap, max_request_size=32 * MIB)
        await producer.start()
        number = world.sent % PARTITIONS
        await producer.send_and_wait(topic, b"{" + b" " * 20 * MIB, key=b"large", partition=number)
        await producer.stop()
        world.extra[number] += 1

    world.at(world.random.uniform(0.1, 0.8), send)
    world.swap_often()
    await world.run(TOTAL)
    (large,) = [one for one in world.watcher.rejected if one.reason == "too_large"]
    assert large.cut
    assert len(large.value) < MIB


async def test_a_slow_shadow_keeps_nobody_waiting(world: World) -> None:
    slow = make_bundle(world.registry, model=world.model, seed=9, skew_ms=SKEW_MS, trees=4_000)
    await world.start("a")
    await world.deploy(world.bundles[0], slow=slow)
    await world.watcher.until(lambda w: len(w.reports) == PARTITIONS and all(slow in one.ready for one in w.reports.values()))
    await world.run(TOTAL)
    dropped = [one for one in world.watcher.predictions if one.generation == 2 and not one.shadows]
    assert dropped, "it was never slow enough to be left out"


async def test_deployments_that_are_not_to_be_believed(world: World) -> None:
    await world.start("a")
    stranger = Signer(Ed25519PrivateKey.generate())

    async def disturb() -> None:
        """Write what somebody could who may write to the topic, but not deploy."""
        newest = world.deployments[len(world.deployments)]
        active = (Slot(name="champion", digest="f" * 64),)
        later = msgspec.structs.replace(newest, generation=newest.generation + 100, active=active)
        key, value = world.model.encode(), msgspec.json.encode(later)
        forged = deployment_output(later, stranger)
        outputs = [
            forged,
            Output(forged.topic, 0, key, value),
            Output(forged.topic, 0, key, value, deployment_output(newest, SIGNER).headers),
            deployment_output(world.deployments[world.random.randint(1, newest.generation)], SIGNER),
            Output(forged.topic, 0, key, b'{"schema": 9}'),
        ]
        world.random.shuffle(outputs)
        await world.publisher.send_many(outputs)

    async def wrong_digest() -> None:
        """Deploy, signed as it must be, a bundle that isn't there: the champion before it goes on."""
        await world.deploy("0" * 64)

    for _ in range(5):
        world.at(world.random.uniform(0.05, 0.95), disturb)
    world.swap_often()
    world.at(0.97, wrong_digest)
    await world.run(TOTAL)
    assert all(one.digest in world.bundles for one in world.watcher.predictions)


async def test_a_canary_gets_its_share_while_workers_come_and_go(world: World) -> None:
    for name in ("a", "b"):
        await world.start(name)
    world.at(0.0, lambda: world.until_shared("a", "b"))
    canary = Canary(digest=world.bundles[1], weight=0.3, salt=f"seed {world.random.random()}")
    world.at(0.05, lambda: world.deploy(world.bundles[0], canary))
    world.at(0.06, lambda: world.until_ready(canary.digest))
    world.at(world.random.uniform(0.2, 0.4), lambda: world.restart("a"))
    world.at(world.random.uniform(0.5, 0.8), lambda: world.leave("b"))
    await world.run(TOTAL)
    await world.learn_keys()
    await world.check()
    taken, rows = world.canaried[2]
    # Keys, not rows, are drawn: 40 customers of equal weight.
    assert abs(taken / rows - canary.weight) < 4 * math.sqrt(0.3 * 0.7 / 40) + 4 * math.sqrt(0.3 * 0.7 / rows)
