"""Slots: which generation answers which time, what is loaded, and what is let go of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.features import Window
from streams.contracts.records import Deployment, Slot
from streams.inference.session import Scorer, load
from streams.inference.store import BundleStore
from streams.serving.slots import Slots
from tests.kit.bundles import make_bundle

WINDOW = Window(aggregate="count", source="requests", by=("owner",), range_ms=60_000)


@pytest.fixture(scope="module")
def scorers(tmp_path_factory: pytest.TempPathFactory) -> list[Scorer]:
    root = tmp_path_factory.mktemp("slots") / "registry"
    digests = [make_bundle(root, seed=seed, windows=[WINDOW] if seed == 2 else ()) for seed in range(4)]
    return [load(BundleStore(root), "toys", digest) for digest in digests]


def deployment(generation: int, champion: str, effective_ms: int, preparing: tuple[str, ...] = (), **shadows: str) -> Deployment:
    active = (Slot(name="champion", digest=champion), *(Slot(name=name, digest=digest) for name, digest in shadows.items()))
    return Deployment(
        model="toys", generation=generation, active=active, preparing=preparing, effective_ms=effective_ms, reason="test"
    )


def generations(slots: Slots, times: list[int]) -> list[int]:
    found = [0] * len(times)
    for share in slots.split(times):
        for row in share.rows.tolist():
            found[row] = share.deployment.generation
    return found


def test_rows_are_split_exactly_at_effective_time(scorers: list[Scorer]) -> None:
    slots = Slots()
    slots.learn(deployment(1, scorers[0].digest, 0))
    slots.learn(deployment(2, scorers[1].digest, 1_000))
    for scorer in scorers[:2]:
        slots.accept(scorer)
    assert generations(slots, [999, 1_000, 5, 1_001]) == [1, 2, 1, 2]


def test_nothing_serves_before_the_first_champion_is_ready(scorers: list[Scorer]) -> None:
    slots = Slots()
    assert not slots.is_serving
    assert not slots.is_settled(0)
    slots.learn(deployment(1, scorers[0].digest, 50))
    assert slots.missing() == (scorers[0].digest,)
    with pytest.raises(LookupError):
        slots.split([1])
    slots.accept(scorers[0])
    assert slots.is_serving
    assert generations(slots, [1, 60]) == [1, 1]


def test_a_refused_champion_leaves_the_one_before_in_place(scorers: list[Scorer]) -> None:
    slots = Slots()
    slots.learn(deployment(1, scorers[0].digest, 0))
    slots.accept(scorers[0])
    slots.learn(deployment(2, "f" * 64, 100))
    assert not slots.is_settled(100)
    assert slots.is_settled(99)
    slots.refuse("f" * 64, "broken")
    assert slots.is_settled(100)
    assert generations(slots, [50, 150]) == [1, 1]
    assert slots.generation == 2
    slots.learn(deployment(3, "f" * 64, 200))
    assert slots.missing() == ("f" * 64,), "a new generation that names it gives it another chance"


def test_a_row_waits_for_shadows_of_its_generation_to_settle(scorers: list[Scorer]) -> None:
    slots = Slots()
    slots.learn(deployment(1, scorers[0].digest, 0, shadow=scorers[1].digest))
    slots.accept(scorers[0])
    assert slots.is_serving
    assert not slots.is_settled(10)
    slots.accept(scorers[1])
    assert slots.is_settled(10)


def test_the_previous_champion_stays_warm_and_older_ones_go(scorers: list[Scorer]) -> None:
    slots = Slots()
    for generation, scorer in enumerate(scorers[:3], start=1):
        slots.learn(deployment(generation, scorer.digest, generation * 100))
        slots.accept(scorer)
    slots.learn(deployment(4, scorers[2].digest, 350, preparing=(scorers[3].digest,)))
    slots.accept(scorers[3])
    slots.forget(360)
    assert [kept.generation for kept in slots.deployments] == [2, 4]
    assert set(slots.ready) == {scorer.digest for scorer in scorers[1:4]}
    assert generations(slots, [250, 360]) == [2, 4]
    assert slots.windows() == (WINDOW,)


def test_a_future_generation_is_not_let_go_of(scorers: list[Scorer]) -> None:
    slots = Slots()
    slots.learn(deployment(1, scorers[0].digest, 0))
    slots.learn(deployment(2, scorers[1].digest, 500))
    for scorer in scorers[:2]:
        slots.accept(scorer)
    slots.forget(100)
    assert [kept.generation for kept in slots.deployments] == [1, 2]


def test_bundles_above_the_limit_are_refused_and_champions_come_first(scorers: list[Scorer]) -> None:
    slots = Slots(limit=2)
    slots.learn(deployment(1, scorers[0].digest, 0, preparing=(scorers[1].digest,), a=scorers[2].digest, b=scorers[3].digest))
    assert slots.missing() == (scorers[0].digest, scorers[1].digest)
    assert set(slots.refused) == {scorers[2].digest, scorers[3].digest}


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=5),
    st.lists(st.integers(0, 60), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
)
def test_the_order_of_reading_changes_nothing(scorers: list[Scorer], effective: list[int], times: list[int], random) -> None:  # noqa: ANN001
    records = [deployment(i + 1, scorers[i % 4].digest, at) for i, at in enumerate(effective)]
    shuffled = random.sample(records, len(records))
    answers = []
    for order in (records, shuffled):
        slots = Slots()
        for record in order:
            assert slots.learn(record)
            assert not slots.learn(record)
        for scorer in scorers:
            slots.accept(scorer)
        answers.append(generations(slots, times))
    assert answers[0] == answers[1]
    expected = [max((r.generation for r in records if r.effective_ms <= time), default=1) for time in times]
    assert answers[0] == expected
