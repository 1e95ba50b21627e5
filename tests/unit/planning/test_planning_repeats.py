"""When something that was tried may be tried again: not in vain, not on the very same rows, and not on hardly any new ones."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.gates import beats_champion
from daemon.gates.base import Evidence, Limits, Metric
from daemon.ledger.records import Experiment, Plan
from daemon.planners.base import Change
from daemon.planning.compose import Basis, compose
from daemon.planning.config import PlanningConfig
from daemon.planning.guardrails import Facts, check
from daemon.planning.repeats import too_soon
from streams.contracts.bundle import Interval
from tests.kit.control import DAY, SKILLS, START, Control
from tests.unit.planning.plans import NOW, incident, plan_of, proposal_of

CONFIG = PlanningConfig()
SEALED = (START - 8 * DAY, START)
TRIED = Experiment(configuration="x", outcome="inconclusive", time_ms=START, sealed=SEALED, rows=800)
CHANGE = Change(since_ms=START - 16 * DAY, rows=2_000)


def objection(days: int, change: Change | None = CHANGE, *tried: Experiment, is_same: bool = True) -> str:
    """What is said so many days after something was tried, when there are two thousand rows since the change."""
    later = (SEALED[0] + days * DAY, SEALED[1] + days * DAY)
    return too_soon(tried or (TRIED,), later, change, CONFIG, is_same=is_same)


def test_half_as_many_rows_as_it_was_judged_on_must_be_new() -> None:
    assert objection(4, msgspec.structs.replace(CHANGE, rows=2_000)) == "", "four of twenty days: 400 rows"
    assert objection(4, msgspec.structs.replace(CHANGE, rows=1_999)) == (
        "the same couldn't be judged before, and of 400 new labelled rows that it takes there are about 399"
    )
    assert objection(4, CHANGE, msgspec.structs.replace(TRIED, rows=801))
    assert objection(3)


def test_as_many_as_the_judge_lacked_must_be_new_where_that_is_more() -> None:
    few = msgspec.structs.replace(TRIED, rows=100, lacked=400)
    assert objection(4, CHANGE, few) == ""
    assert "of 401 new" in objection(4, CHANGE, msgspec.structs.replace(few, lacked=401))


@pytest.mark.parametrize(("rows", "positives", "lacked"), [(300, 60, 200.0), (600, 20, 900.0), (0, 0, 500.0), (100, 5, 900.0)])
def test_the_judge_says_how_many_rows_it_lacks(rows: int, positives: int, lacked: float) -> None:
    metric = Metric(name="auc", difference=Interval(value=0.1, low=0.05, high=0.15))
    found = beats_champion.check(Evidence(rows=rows, positives=positives, metric=metric), Limits())
    assert (found.outcome, found.numbers["rows_lacked"]) == ("inconclusive", lacked)
    enough = beats_champion.check(Evidence(rows=500, positives=50, metric=metric), Limits())
    assert (enough.outcome, "rows_lacked" in enough.numbers) == ("pass", False)


def test_what_was_tried_on_the_very_same_rows_isn_t_tried_again_whatever_came_of_it() -> None:
    for outcome in ("inconclusive", "closed", "running", "refused"):
        tried = msgspec.structs.replace(TRIED, outcome=outcome)
        assert objection(0, None, tried, is_same=False) == "the same was tried on the very same rows"
    assert objection(1, None, is_same=False) == ""


def test_nothing_is_said_of_what_learns_anew_of_other_outcomes_or_where_nothing_is_known() -> None:
    assert objection(1, is_same=False) == "", "a training makes another bundle of newer rows"
    assert objection(1, None) == ""
    assert objection(1, CHANGE, msgspec.structs.replace(TRIED, outcome="closed")) == ""
    assert objection(1, CHANGE, msgspec.structs.replace(TRIED, sealed=None)) == "", "of before it was kept"


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2_000), st.integers(0, 2_000)), min_size=1, max_size=4),
       st.integers(0, 5_000), st.integers(31, 400))  # fmt: skip
def test_who_waits_long_enough_is_let_and_more_that_was_tried_never_makes_it_sooner(
    past: list[tuple[int, int, int]], rows: int, days: int
) -> None:
    tried = [
        msgspec.structs.replace(TRIED, sealed=(SEALED[0] + ago * DAY, SEALED[1] + ago * DAY), rows=judged, lacked=lacked)
        for ago, judged, lacked in past
    ]
    change = msgspec.structs.replace(CHANGE, rows=rows)
    alone = [objection(days, change, one) for one in tried]
    assert bool(objection(days, change, *tried)) >= any(map(bool, alone))
    assert objection(400, Change(since_ms=SEALED[0] + 400 * DAY, rows=10_000), *tried) == "", "all of them are new"


def test_the_guardrail_of_repeats_asks_for_new_rows(tmp_path: Path) -> None:
    change = Change(since_ms=NOW - 16 * DAY, rows=2_000)
    basis = Basis(NOW, incident(challenger="", champion="c"), "c", (), change=change)
    control = Control(tmp_path)
    asked = proposal_of("restore_archived", challenger="a" * 64)
    plan = compose(asked, basis, control.places, CONFIG)
    facts = Facts(
        now_ms=NOW,
        known_skills=SKILLS,
        frozen_by=None,
        promoted_ms=(),
        training_minutes=0.0,
        champion="c",
        tried=(),
        change=change,
    )
    assert rules(facts, plan) == []
    since_ms, until_ms = plan.sealed
    just_now = msgspec.structs.replace(TRIED, sealed=(since_ms - DAY, until_ms - DAY), rows=900)
    assert rules(facts._replace(tried=(just_now,)), plan) == ["no_repeat"]
    long_ago = msgspec.structs.replace(TRIED, sealed=(since_ms - 8 * DAY, since_ms), rows=900)
    assert rules(facts._replace(tried=(long_ago,)), plan) == []
    training = plan_of(control, "retrain")
    before = msgspec.structs.replace(TRIED, sealed=(training.sealed[0] - DAY, training.sealed[1] - DAY))
    assert rules(facts._replace(tried=(before,)), training) == []
    assert rules(facts._replace(tried=(msgspec.structs.replace(before, sealed=training.sealed),)), training) == ["no_repeat"]


def rules(facts: Facts, plan: Plan) -> list[str]:
    return [ruling.rule for ruling in check(plan, facts, CONFIG) if not ruling.allowed]
