"""What plans have in common, and what counts as a row of successes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.judging.config import JudgingConfig
from daemon.ledger.records import Recipe, State
from daemon.planners.base import Cause
from daemon.planning.config import PlanningConfig
from daemon.planning.recipes import Deed, deed_of, in_a_row, recipe_of
from tests.kit.control import DAY, MODEL, START
from tests.unit.planning.plans import incident, proposal_of

LIKELY = Cause(cause="concept_change", probability=0.9)


def recipe(action: str = "retrain", likely: Cause | None = LIKELY, since_ms: int | None = None, **config: Any) -> Recipe | None:
    return recipe_of(proposal_of(action, train_since_ms=since_ms), likely, MODEL, PlanningConfig(**config), {})


def one(action: str = "retrain", likely: Cause = LIKELY, **config: Any) -> Recipe:
    found = recipe(action, likely, **config)
    assert found is not None
    return found


def test_a_recipe_is_told_by_what_is_done_about_what_and_by_nothing_else() -> None:
    assert one() == one(likely=Cause(cause="concept_change", probability=0.5))
    assert one().digest == one(autonomy="act", plan_expiry="1d", playbook_successes=9, tolerated_points=3.0).digest
    others = [
        one("search_features_and_retrain"), one(likely=Cause(cause="harmful_shift", probability=0.9)), one(train="60d"),
        one(sealed="7d"), one(seed=1), one(parameters={"max_depth": 3}), one(training_budget="1h"), one(search_seconds=60),
        recipe(since_ms=START), recipe_of(proposal_of("retrain"), LIKELY, "other", PlanningConfig(), {}),
    ]  # fmt: skip
    digests = {found.digest for found in (one(), *others) if found is not None}
    assert len(digests) == 1 + len(others)


def judged(**judging: Any) -> str:
    found = recipe_of(proposal_of("retrain"), LIKELY, MODEL, PlanningConfig(), JudgingConfig(**judging).model_dump(mode="json"))
    assert found is not None
    return found.digest


@pytest.mark.parametrize(
    "other",
    [
        {"margin": -0.001}, {"shadow_margin": -0.1}, {"sealed_gates": ["beats_champion"]}, {"shadow_gates": []},
        {"least_rows": 100}, {"least_positives": 5}, {"slice_tolerance": 0.5}, {"calibration_tolerance": 0.5},
        {"latency_ms_per_1000": 1e9}, {"shadow": "1d"}, {"longest_shadow": "90d"}, {"probation": "1d"},
        {"longest_probation": "90d"}, {"recheck": "1d"}, {"seed": 1},
    ],
)  # fmt: skip
def test_under_another_judge_it_is_another_recipe(other: dict[str, Any]) -> None:
    assert judged(**other) != judged() == judged(shadow="168h")
    assert set(other) <= set(JudgingConfig.model_fields)


def test_rows_since_a_change_are_another_recipe_whenever_the_change_was() -> None:
    first, second = recipe(since_ms=START), recipe(since_ms=START + DAY)
    assert first is not None
    assert (first, first.rows, one().rows) == (second, "since_change", "as_configured")
    assert one("restore_archived").rows == "since_change"


@pytest.mark.parametrize(
    "action", ["ask_person", "promote_submitted", "judge_submitted", "rollback", "alert_upstream", "wait_for_labels", "no_action"]
)
def test_what_no_judge_measures_or_a_person_wants_is_no_recipe(action: str) -> None:
    assert recipe(action) is None


def test_without_a_cause_there_is_no_recipe() -> None:
    assert recipe(likely=None) is None


def ended(state: State, **details: Any) -> Deed | None:
    return deed_of(incident(state=state, moved_ms=START, details={"recipe": _plain(one()), "started_ms": 1} | details))


def _plain(given: Recipe) -> dict[str, Any]:
    return {name: getattr(given, name) for name in given.__struct_fields__}


PASSED = {"probation": {"outcome": "pass"}}


@pytest.mark.parametrize(
    ("state", "details", "says"),
    [
        ("closed", PASSED, True),
        ("closed", {"probation": {"outcome": "inconclusive"}}, None),
        ("closed", {}, None),
        ("refused", {}, False),
        ("failed", {}, False),
        ("rolled_back", PASSED, False),
        ("expired", {}, None),
        ("no_action", {}, None),
        ("probation", PASSED, None),
    ],
)
def test_a_deed_is_good_bad_or_says_nothing(state: State, details: dict[str, Any], says: Any) -> None:
    found = ended(state, **details)
    assert (None if found is None else found.is_good) is says


def test_what_never_ran_or_has_no_recipe_says_nothing() -> None:
    assert deed_of(incident(state="refused", details={"recipe": _plain(one())})) is None
    assert deed_of(incident(state="refused", details={"started_ms": 1})) is None
    found = ended("failed")
    assert found == Deed(one(), "i", START, is_good=False)


RECIPES = (one(), one(seed=1), one("search_features_and_retrain"), one(likely=Cause(cause="harmful_shift", probability=1.0)))
drawn = st.lists(st.tuples(st.sampled_from(RECIPES), st.integers(0, 9), st.booleans()), max_size=12)
deeds = drawn.map(
    lambda found: [Deed(made, f"i{number}", at_ms, is_good=good) for number, (made, at_ms, good) in enumerate(found)]
)


@settings(deadline=None)
@given(deeds, st.randoms(use_true_random=False))
def test_the_order_of_reading_makes_no_row(given_deeds: list[Deed], random: Any) -> None:
    shuffled = random.sample(given_deeds, len(given_deeds))
    assert in_a_row(RECIPES[0], shuffled) == in_a_row(RECIPES[0], given_deeds)


@settings(deadline=None)
@given(deeds)
def test_a_row_grows_by_one_breaks_at_once_and_cares_for_its_own(given_deeds: list[Deed]) -> None:
    own, same_act, other_act, other_cause = RECIPES
    before = in_a_row(own, given_deeds)
    assert set(before) <= {deed.incident for deed in given_deeds if deed.recipe == own and deed.is_good}
    assert in_a_row(own, [*given_deeds, Deed(own, "new", 10, is_good=True)]) == (*before, "new")
    assert in_a_row(own, [*given_deeds, Deed(same_act, "new", 10, is_good=True)]) == before, "other settings don't speak for it"
    for broken in (own, same_act):
        assert in_a_row(own, [*given_deeds, Deed(broken, "new", 10, is_good=False)]) == ()
    for foreign in (other_act, other_cause):
        assert in_a_row(own, [*given_deeds, Deed(foreign, "new", 10, is_good=False)]) == before


@settings(deadline=None)
@given(deeds, st.integers(0, 9))
def test_only_what_ended_later_counts_after_a_time(given_deeds: list[Deed], after_ms: int) -> None:
    later = {deed.incident for deed in given_deeds if deed.ended_ms > after_ms}
    whole = in_a_row(RECIPES[0], given_deeds)
    assert in_a_row(RECIPES[0], given_deeds, after_ms) == tuple(name for name in whole if name in later)


def test_what_ends_at_the_same_time_counts_against() -> None:
    good, bad = Deed(one(), "a", 5, is_good=True), Deed(one(), "b", 5, is_good=False)
    assert in_a_row(one(), [good, bad]) == in_a_row(one(), [bad, good]) == ()
