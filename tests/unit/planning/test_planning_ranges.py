"""Which rows a plan is about: those that the config says, or those since a change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.errors import PlanRefusedError
from daemon.planners.base import Change
from daemon.planning.compose import Basis, compose, configuration_of, ranges_of
from daemon.planning.config import PlanningConfig
from skills._kit.ranges import Ranges
from tests.kit.control import DAY, START, Control
from tests.unit.planning.plans import NOW, WINDOW, incident, proposal_of

CONFIG = PlanningConfig()


def basis(since_ms: int | None = None, delay_ms: int = 0, rows: int = 900, **given: Any) -> Basis:
    change = None if since_ms is None else Change(since_ms=since_ms, rows=rows, rare=rows // 10)
    return Basis(NOW, incident(challenger=""), "c", (WINDOW,), delay_ms, change=change, **given)


def test_rows_since_a_change_are_split_into_what_is_learnt_from_and_what_is_judged_on() -> None:
    since_ms = START - 10 * DAY
    found = ranges_of(proposal_of("retrain", train_since_ms=since_ms), basis(delay_ms=2 * DAY), START, CONFIG)
    assert found == Ranges(START, 10 * DAY, round(3.2 * DAY), 2 * DAY)
    assert found.sealed == (START - round(5.2 * DAY), START - 2 * DAY)


def test_the_judge_leaves_rows_since_a_change_to_learn_from() -> None:
    """Fourteen days sealed, with labels that take seven, would leave none of the ten days since the change."""
    asked = basis(START - 10 * DAY, 7 * DAY, 2_000, is_news=True)
    found = ranges_of(proposal_of("retrain"), asked, START, CONFIG)
    assert found == Ranges(START, CONFIG.train.ms + 7 * DAY, round(1.2 * DAY), 7 * DAY)
    usual = ranges_of(proposal_of("retrain"), basis(delay_ms=7 * DAY), START, CONFIG)
    assert usual.sealed_ms == CONFIG.sealed.ms
    for other in (asked._replace(is_news=False), basis(START - 10 * DAY, 7 * DAY, 1_249, is_news=True)):
        assert ranges_of(proposal_of("retrain"), other, START, CONFIG) == usual
    rare = asked._replace(change=Change(since_ms=START - 10 * DAY, rows=2_000, rare=124))
    assert ranges_of(proposal_of("retrain"), rare, START, CONFIG) == usual, "the judge would have too few of a class"
    old = basis(START - 60 * DAY, 7 * DAY, 20_000, is_news=True)
    assert ranges_of(proposal_of("retrain"), old, START, CONFIG) == usual


def test_a_search_is_told_what_is_new(tmp_path: Path) -> None:
    places = Control(tmp_path).places
    for rows, since_ms in ((2_000, START - 10 * DAY), (900, None)):
        asked = basis(START - 10 * DAY, 0, rows, is_news=True)
        steps = {step.key: step for step in compose(proposal_of("search_features_and_retrain"), asked, places, CONFIG).steps}
        assert steps["search"].arguments["since_ms"] == since_ms


def test_twice_the_rows_since_a_change_are_another_try(tmp_path: Path) -> None:
    places = Control(tmp_path).places

    def tried(rows: int) -> str:
        asked = basis(START - 10 * DAY, 0, rows, is_news=True)
        return compose(proposal_of("retrain"), asked, places, CONFIG).configuration

    assert tried(900) == configuration_of("retrain", "c", (WINDOW,), CONFIG)
    assert tried(2_100) == tried(4_000)
    assert len({tried(900), tried(2_100), tried(4_200)}) == 3


def test_an_archived_bundle_is_judged_on_the_half_that_didn_t_choose_it() -> None:
    since_ms = START - 8 * DAY
    found = ranges_of(proposal_of("restore_archived", challenger="a"), basis(since_ms), START, CONFIG)
    assert found.sealed == (START - 4 * DAY, START)
    assert found.train_ms == 8 * DAY


changes = st.integers(1, 400 * DAY)


@given(changes, st.integers(0, 60 * DAY), st.sampled_from(("retrain", "restore_archived")))
def test_every_range_is_one_that_the_skill_takes(ago_ms: int, delay_ms: int, action: str) -> None:
    since_ms = START - ago_ms
    proposal = proposal_of(action, train_since_ms=since_ms if action == "retrain" else None, challenger="a")
    until_ms, train_ms, sealed_ms, wait_ms = ranges_of(proposal, basis(since_ms, delay_ms), START, CONFIG)
    assert 0 < sealed_ms <= wait_ms + sealed_ms < train_ms <= until_ms
    assert sealed_ms <= CONFIG.sealed.ms
    assert wait_ms <= delay_ms
    if (START - delay_ms - since_ms) * 0.4 >= 1:
        assert until_ms - wait_ms - sealed_ms > since_ms, "all that is judged on came after the change"


def test_rows_since_another_change_are_another_try(tmp_path: Path) -> None:
    places = Control(tmp_path).places
    whole, one, two = (
        compose(proposal_of("retrain", train_since_ms=since_ms), basis(), places, CONFIG).configuration
        for since_ms in (None, START - 9 * DAY, START - 8 * DAY)
    )
    assert len({whole, one, two}) == 3
    assert whole == configuration_of("retrain", "c", (WINDOW,), CONFIG)


def test_restoring_trains_nothing_and_compares_what_is_named(tmp_path: Path) -> None:
    places = Control(tmp_path).places
    asked = basis(START - 8 * DAY)
    plan = compose(proposal_of("restore_archived", challenger="a" * 64), asked, places, CONFIG)
    assert [step.skill for step in plan.steps] == ["build_dataset", "compare_models"]
    assert plan.steps[1].arguments["challenger"] == "a" * 64
    assert plan.budget_ms == 0
    other = compose(proposal_of("restore_archived", challenger="b" * 64), asked, places, CONFIG)
    assert plan.configuration
    assert plan.configuration != other.configuration


@pytest.mark.parametrize(("challenger", "since_ms"), [(None, START - DAY), ("a" * 64, None)])
def test_nothing_is_restored_without_a_name_or_a_change(tmp_path: Path, challenger: str | None, since_ms: int | None) -> None:
    with pytest.raises(PlanRefusedError):
        compose(proposal_of("restore_archived", challenger=challenger), basis(since_ms), Control(tmp_path).places, CONFIG)


def test_a_question_waits_no_longer_than_it_may(tmp_path: Path) -> None:
    places = Control(tmp_path).places
    for config, days in ((PlanningConfig(), 3), (PlanningConfig(plan_expiry="1d"), 1)):  # type: ignore[arg-type]
        plan = compose(proposal_of("ask_person"), basis(), places, config)
        assert (plan.steps, plan.expires_ms) == ((), NOW + days * DAY)
