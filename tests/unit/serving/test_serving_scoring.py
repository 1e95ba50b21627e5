"""Who answers a row: champion, canary and shadows, what happens when one of them fails, and what waits for whom."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streams.contracts.canary import takes
from streams.contracts.records import Canary, Deployment, Slot
from streams.inference.session import Scorer, load
from streams.inference.store import BundleStore
from streams.serving.rows import Batch
from streams.serving.scoring import Answering, Answers, flags_of
from streams.serving.shadows import Shadows
from streams.serving.slots import Share, Slots
from streams.serving.suspicion import FAR_OUTSIDE, Suspicion
from tests.kit.bundles import SCHEMA, START_MS, make_bundle, rows_of

ROWS = 40


class Watched:
    """A scorer that fails on heavy rows, counts how often it is asked, and waits for a gate."""

    def __init__(self, inner: Scorer) -> None:
        self.inner = inner
        self.digest = inner.digest
        self.manifest = inner.manifest
        self.fails = False
        self.asked = 0
        self.gate = threading.Event()
        self.gate.set()

    def score(self, columns: Any, windows: Any, time_ms: Sequence[int]) -> Any:
        self.asked += 1
        self.gate.wait(30)
        if self.fails and 1e9 in columns["weight"]:
            raise RuntimeError("boom")
        return self.inner.score(columns, windows, time_ms)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> list[Scorer]:
    root = tmp_path_factory.mktemp("scoring") / "registry"
    return [load(BundleStore(root), "toys", make_bundle(root, seed=seed)) for seed in range(3)]


@pytest.fixture
def scorers(loaded: list[Scorer]) -> list[Watched]:
    return [Watched(scorer) for scorer in loaded]


def batch_of(rows: int = ROWS) -> Batch:
    columns = rows_of(rows, seed=9)
    columns["weight"][4] = 1e9
    return Batch([START_MS] * rows, columns, {}, [(f"k{row % 20}".encode(), f"r{row}") for row in range(rows)])


def deployed(champion: Watched, canary: Canary | None = None, **shadows: str) -> Deployment:
    slots = {"champion": champion.digest} | shadows
    active = tuple(Slot(name=name, digest=digest) for name, digest in slots.items())
    return Deployment(model="toys", generation=1, active=active, canary=canary, effective_ms=0, reason="")


def answered(
    deployment: Deployment, ready: Sequence[Watched], batch: Batch, shadows: Shadows | None = None, *, is_lagging: bool = False
) -> Answers:
    answering = Answering({one.digest: one for one in ready}, shadows or Shadows(None), is_lagging=is_lagging)  # type: ignore[misc]
    return answering.answer(batch, [Share(deployment, np.arange(len(batch.times)))])


def scores_of(scorer: Watched, batch: Batch) -> list[float]:
    return [float(score) for score in scorer.inner.score(batch.columns, {}, batch.times)]


def test_shadows_never_harm_the_champion_and_a_failing_row_stands_alone(scorers: list[Watched]) -> None:
    first, second, _ = scorers
    batch = batch_of()
    deployment = deployed(first, s=second.digest, gone="0" * 64)

    both = answered(deployment, [first, second], batch)
    assert both.scores == scores_of(first, batch)
    assert [shadow.score for row in range(ROWS) for shadow in both.shadows[row]] == scores_of(second, batch)
    assert (both.failed, both.canaried) == (0, frozenset())

    second.fails = True
    shadow_fails = answered(deployment, [first, second], batch)
    assert shadow_fails.scores == scores_of(first, batch)
    assert (shadow_fails.failed, shadow_fails.shadows) == (1, {})

    first.fails = True
    champion_fails = answered(deployment, [first], batch)
    assert [row for row in range(ROWS) if np.isnan(champion_fails.scores[row])] == [4]


def test_what_lies_far_outside_of_the_champions_reference_is_flagged(loaded: list[Scorer]) -> None:
    batch = batch_of()
    share = Share(deployed(Watched(loaded[0])), np.arange(ROWS))
    bounds = {loaded[0].digest: Suspicion(SCHEMA, loaded[0].profile, 10.0)}
    assert flags_of(batch.columns, [share], bounds) == {4: [FAR_OUTSIDE]}


def test_a_bundle_in_several_slots_is_asked_once(scorers: list[Watched]) -> None:
    first, second, third = scorers
    canary = Canary(digest=third.digest, weight=0.5, salt="s")
    names = {"same": first.digest, "other": second.digest, "another": second.digest, "trial": third.digest}
    answers = answered(deployed(first, canary, **names), scorers, batch_of(5))
    assert [scorer.asked for scorer in scorers] == [1, 1, 1]
    for row in range(5):
        found = {shadow.name: shadow.score for shadow in answers.shadows[row]}
        by_canary = row in answers.canaried
        assert found["same"] == (found["champion"] if by_canary else answers.scores[row])
        assert found["trial"] == (answers.scores[row] if by_canary else found["canary"])
        assert found["other"] == found["another"]


def test_a_canary_answers_its_keys_and_both_scores_are_kept_on_every_row(scorers: list[Watched]) -> None:
    first, second, _ = scorers
    batch = batch_of()
    canary = Canary(digest=second.digest, weight=0.4, salt="a trial")
    answers = answered(deployed(first, canary), [first, second], batch)
    taken = {row for row in range(ROWS) if takes(canary, *batch.keys[row])}
    assert answers.canaried == taken
    assert 0 < len(taken) < ROWS
    for row, (champion, trial) in enumerate(zip(scores_of(first, batch), scores_of(second, batch), strict=True)):
        (beside,) = answers.shadows[row]
        if row in taken:
            assert (answers.scores[row], beside.name, beside.digest, beside.score) == (trial, "champion", first.digest, champion)
        else:
            assert (answers.scores[row], beside.name, beside.digest, beside.score) == (champion, "canary", second.digest, trial)


def test_where_a_canary_is_missing_or_fails_the_champion_answers(scorers: list[Watched]) -> None:
    first, second, _ = scorers
    batch = batch_of()
    deployment = deployed(first, Canary(digest=second.digest, weight=1.0, salt=""))
    missing = answered(deployment, [first], batch)
    second.fails = True
    failing = answered(deployment, [first, second], batch)
    for answers, failures in ((missing, 0), (failing, 1)):
        assert answers.scores == scores_of(first, batch)
        assert (answers.failed, answers.canaried, answers.shadows) == (failures, frozenset(), {})


def test_a_slow_shadow_is_left_out_and_not_asked_again_until_it_is_done(scorers: list[Watched]) -> None:
    first, slow, quick = scorers
    deployment, batch = deployed(first, slow=slow.digest, quick=quick.digest), batch_of()
    shadows = Shadows(patience_s=0.0)
    slow.gate.clear()
    late = answered(deployment, scorers, batch, shadows)
    busy = answered(deployment, scorers, batch, shadows)
    for answers, reason in ((late, "late"), (busy, "busy")):
        assert answers.scores == scores_of(first, batch)
        assert (answers.shadows, answers.dropped) == ({}, {reason: 2 * ROWS})
    slow.gate.set()
    shadows.close()
    assert slow.asked == 1


def test_patient_enough_nothing_is_left_out(scorers: list[Watched]) -> None:
    first, second, _ = scorers
    shadows = Shadows(patience_s=30.0)
    answers = answered(deployed(first, s=second.digest), scorers, batch_of(), shadows)
    shadows.close()
    assert (len(answers.shadows), answers.dropped) == (ROWS, {})


def test_shadows_give_way_when_requests_wait_in_numbers_but_never_in_a_replay(scorers: list[Watched]) -> None:
    first, second, _ = scorers
    deployment, batch = deployed(first, s=second.digest), batch_of()
    live = answered(deployment, scorers, batch, Shadows(patience_s=1.0), is_lagging=True)
    assert (live.shadows, live.dropped, second.asked) == ({}, {"lag": ROWS}, 0)
    replayed = answered(deployment, scorers, batch, Shadows(None), is_lagging=True)
    assert (len(replayed.shadows), replayed.dropped) == (ROWS, {})


def test_a_bundle_lives_until_the_last_batch_that_began_with_it_has_ended(tmp_path: Path) -> None:
    root = tmp_path / "registry"
    scorers = [load(BundleStore(root), "toys", make_bundle(root, seed=seed)) for seed in range(2)]
    slots = Slots()
    for generation, scorer in enumerate(scorers, start=1):
        active = (Slot(name="champion", digest=scorer.digest),)
        slots.learn(Deployment(model="toys", generation=generation, active=active, effective_ms=generation * 1_000, reason=""))
        slots.accept(scorer)
    third = make_bundle(root, seed=2)
    slots.learn(
        Deployment(model="toys", generation=3, active=(Slot(name="champion", digest=third),), effective_ms=3_000, reason="")
    )
    slots.accept(load(BundleStore(root), "toys", third))
    batch = batch_of()
    shares = slots.split([1_500] * ROWS)
    expected = scorers[0].score(batch.columns, {}, batch.times).tolist()
    answering, old = Answering(slots.ready, Shadows(None)), weakref.ref(scorers[0])
    scorers.clear()
    slots.forget(3_000)
    assert shares[0].deployment.generation == 1
    assert shares[0].deployment.champion not in slots.ready
    assert answering.answer(batch, shares).scores == expected
    assert old() is not None
    del answering
    assert old() is None
