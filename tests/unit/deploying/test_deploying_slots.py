from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.deploying.config import DeployingConfig
from daemon.deploying.first import deploy_again
from daemon.deploying.slots import OURS, is_same, prepared, promoted, rolled_back, shadowed, tidied
from daemon.deploying.swap import Deploying
from daemon.deploying.world import has_archived
from daemon.errors import SwapFailedError
from daemon.ledger.ledger import Ledger, open_ledger
from streams.contracts.records import CHAMPION, Deployment, Slot, WorkerReport
from tests.kit.control import MODEL
from tests.kit.world import FileWorld


def deployment(effective_ms: int = 0, **slots: str) -> Deployment:
    active = tuple(Slot(name=name, digest=digest) for name, digest in ({"champion": "old"} | slots).items())
    return Deployment(model=MODEL, generation=1, active=active, effective_ms=effective_ms, reason="r")


def slots_of(one: Deployment) -> dict[str, str]:
    return {slot.name: slot.digest for slot in one.active}


def test_the_way_of_a_challenger_keeps_the_shadows_of_others() -> None:
    now = deployment(monthly="m")
    now = prepared(now, "new", 5)
    assert (slots_of(now), now.preparing) == ({"champion": "old", "monthly": "m"}, ("new",))
    now = shadowed(now, "challenger", "new", 9)
    assert (slots_of(now), now.preparing, now.effective_ms) == ({"champion": "old", "challenger": "new", "monthly": "m"}, (), 9)
    now = promoted(now, "new", 20)
    assert slots_of(now) == {"champion": "new", "previous": "old", "monthly": "m"}
    assert slots_of(tidied(now, 30)) == {"champion": "new", "monthly": "m"}
    assert slots_of(rolled_back(now, "old", 30)) == {"champion": "old", "monthly": "m"}
    assert now.generation == 4


def test_what_is_prepared_meanwhile_doesn_t_bring_a_later_change_forward() -> None:
    coming = shadowed(deployment(), "challenger", "new", 100)
    assert prepared(coming, "other", 50).effective_ms == 100
    assert rolled_back(coming, "older", 50).effective_ms == 50


acts = st.lists(st.tuples(st.sampled_from(["prepare", "shadow", "promote", "back", "tidy"]), st.sampled_from("abc")), max_size=12)


@given(acts)
def test_any_sequence_has_one_champion_and_growing_generations(sequence: list[tuple[str, str]]) -> None:
    now = deployment(mine="m")
    for number, (act, digest) in enumerate(sequence):
        before = now
        now = {
            "prepare": lambda now=now, d=digest, n=number: prepared(now, d, n),
            "shadow": lambda now=now, d=digest, n=number: shadowed(now, "challenger", d, n),
            "promote": lambda now=now, d=digest, n=number: promoted(now, d, n),
            "back": lambda now=now, d=digest, n=number: rolled_back(now, d, n),
            "tidy": lambda now=now, n=number: tidied(now, n),
        }[act]()
        assert now.generation == before.generation + 1
        assert [slot.name for slot in now.active].count(CHAMPION) == 1
        assert slots_of(now)["mine"] == "m"
        assert set(slots_of(now)) <= OURS | {CHAMPION, "mine"}


def test_same_slots_are_the_same_whatever_their_order() -> None:
    assert is_same(deployment(a="1", b="2"), deployment(b="2", a="1"))
    assert not is_same(deployment(a="1"), deployment(a="2"))


def test_the_archive_is_as_far_as_its_slowest_task() -> None:
    def report(partition: int, watermark_ms: int) -> WorkerReport:
        return WorkerReport(stage="archiving", model=MODEL, partition=partition, epoch="e", watermark_ms=watermark_ms)

    assert not has_archived((), 1)
    assert not has_archived((report(0, 10), report(1, 4)), 5)
    assert has_archived((report(0, 10), report(1, 5)), 5)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def deploying(ledger: Ledger, world: FileWorld, owner: str = "one") -> Deploying:
    return Deploying(MODEL, ledger, world, DeployingConfig(partitions=2), owner=owner, shadow_ms=7, probation_ms=14)


async def test_a_record_is_published_once_however_often_it_is_asked_for(tmp_path: Path, ledger: Ledger) -> None:
    world = FileWorld(tmp_path / "d.jsonl", MODEL)
    await world.publish(deployment())
    for _ in range(3):
        await deploying(ledger, world).put_shadow("i", "challenger", "new", 5, 9)
    assert [one.generation for one in world.history] == [1, 2]


async def test_a_reserved_record_is_finished_first_after_a_restart(tmp_path: Path, ledger: Ledger) -> None:
    world = FileWorld(tmp_path / "d.jsonl", MODEL)
    await world.publish(deployment())
    published_not_noted = deploying(ledger, world)
    step = await published_not_noted._reserve("i", "shadow_challenger", lambda now: shadowed(now, "challenger", "new", 9), 5)
    for _ in range(2):
        await deploying(ledger, world, "two").settle(6)
    assert [one.generation for one in world.history] == [1, 2]
    found = ledger.step("i", "shadow_challenger")
    assert found is not None
    assert (found.state, found.payload) == ("done", step.payload)


async def test_a_foreign_record_in_between_is_built_upon_not_over(tmp_path: Path, ledger: Ledger) -> None:
    world = FileWorld(tmp_path / "d.jsonl", MODEL)
    await world.publish(deployment())
    await deploying(ledger, world)._reserve("i", "shadow_challenger", lambda now: shadowed(now, "challenger", "new", 9), 5)
    await world.publish(shadowed(deployment(), "theirs", "t", 5))
    await deploying(ledger, world, "two").settle(6)
    await deploying(ledger, world, "two").put_shadow("i", "challenger", "new", 6, 9)
    assert slots_of(world.history[-1]) == {"champion": "old", "challenger": "new", "theirs": "t"}
    assert [one.generation for one in world.history] == [1, 2, 3]


async def test_what_the_topic_has_lost_is_deployed_again(tmp_path: Path, ledger: Ledger) -> None:
    world = FileWorld(tmp_path / "d.jsonl", MODEL)
    await world.publish(deployment())
    assert not await deploy_again(world, ledger, MODEL)
    await deploying(ledger, world).put_shadow("i", "challenger", "new", 5, 9)
    await deploying(ledger, world).put_canary("c", "trial", 0.25, 6)
    assert not await deploy_again(world, ledger, MODEL)

    emptied = KnownWorld(None)
    assert await deploy_again(emptied, ledger, MODEL)
    assert emptied.published == [world.history[-1]]
    behind = KnownWorld(world.history[1])
    assert await deploy_again(behind, ledger, MODEL)
    assert behind.published == [world.history[-1]]


class KnownWorld(FileWorld):
    """Knows one deployment, and keeps what is published."""

    def __init__(self, known: Deployment | None) -> None:
        self.known = known
        self.published: list[Deployment] = []

    async def deployment(self) -> Deployment | None:
        return self.known

    async def publish(self, deployment: Deployment) -> None:
        self.published.append(deployment)


async def test_a_refused_or_unanswered_bundle_is_never_activated(tmp_path: Path, ledger: Ledger) -> None:
    world = FileWorld(tmp_path / "d.jsonl", MODEL, refuses={"bad": "wrong digest"})
    await world.publish(deployment())
    with pytest.raises(SwapFailedError, match="wrong digest"):
        await deploying(ledger, world).prepare("i", "bad", 5)
    world.is_deaf = True
    with pytest.raises(SwapFailedError, match="wasn't ready"):
        await deploying(ledger, world).prepare("j", "good", 5)
    assert all(slots_of(one) == {"champion": "old"} for one in world.history)


async def test_without_a_first_deployment_nothing_is_deployed(tmp_path: Path, ledger: Ledger) -> None:
    with pytest.raises(SwapFailedError, match="no deployment yet"):
        await deploying(ledger, FileWorld(tmp_path / "d.jsonl", MODEL)).champion()
