"""What the gate says of goals, by examples."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from daemon.gates import keeps_goals
from daemon.gates.base import Evidence, Finding, GoalReached, Limits
from daemon.judging.verdict import read_evidence
from streams.contracts.bundle import Interval


def around(value: float, reach: float = 0.02) -> Interval:
    return Interval(value, value - reach, value + reach)


def reached(champion: float | None, challenger: float | None, **changes: Any) -> GoalReached:
    given: dict[str, Any] = {"goal": "goal-1", "digest": "abcdef012345" + "0" * 52, "metric": "precision", "rows": 500}
    sides = {"champion": champion, "challenger": challenger}
    given |= {name: None if value is None else around(value) for name, value in sides.items()}
    if champion is not None and challenger is not None:
        given["difference"] = around(challenger - champion, 0.01)
    if champion is None or challenger is None:
        given["reason"] = "4 rows are of its cohort"
    return GoalReached(**(given | {"floor": 0.9} | changes))


def check(*goals: GoalReached) -> Finding:
    return keeps_goals.check(Evidence(goals=goals), Limits())


@pytest.mark.parametrize(
    ("champion", "challenger", "outcome"),
    [
        (0.95, 0.95, "pass"),
        (0.95, 0.93, "pass"),  # worse, and still as asked
        (0.95, 0.89, "fail"),  # surely worse, and not as asked
        (0.95, 0.85, "fail"),
        (0.90, 0.875, "fail"),
        (0.89, 0.885, "pass"),  # neither is surely below, and neither surely worse
        (0.80, 0.80, "pass"),  # no worse than the champion, who misses it as well
        (0.80, 0.85, "pass"),  # better, though not enough
        (0.80, 0.78, "fail"),  # both miss it, and it is surely worse
        (0.80, 0.795, "pass"),
        (None, 0.85, "fail"),
        (None, 0.95, "pass"),
        (0.95, None, "inconclusive"),
        (None, None, "pass"),
    ],
)
def test_a_goal_with_a_floor(champion: float | None, challenger: float | None, outcome: str) -> None:
    assert check(reached(champion, challenger)).outcome == outcome


def test_a_challenger_that_surely_misses_what_the_champion_may_hold_is_refused_without_being_surely_worse() -> None:
    unsure = reached(0.89, 0.875, difference=around(-0.015, 0.03))
    assert check(unsure).outcome == "fail"


def test_a_ceiling_is_the_other_way_round() -> None:
    bounds = {"floor": None, "ceiling": 0.1}
    assert check(reached(0.05, 0.15, difference=around(-0.1, 0.01), **bounds)).outcome == "fail"
    assert check(reached(0.15, 0.05, difference=around(0.1, 0.01), **bounds)).outcome == "pass"


def test_bounds_are_met_at_the_number_itself() -> None:
    exact = reached(0.9, 0.9, difference=around(-0.01, 0.005))
    for name in ("champion", "challenger"):
        exact = msgspec.structs.replace(exact, **{name: around(0.9, 0.0)})
    assert check(exact).outcome == "pass"


def test_what_can_t_be_measured_is_counted_and_named() -> None:
    found = check(reached(0.95, 0.95), reached(None, None))
    assert found.outcome == "pass"
    assert "1 couldn't: precision of abcdef012345, 4 rows are of its cohort" in found.reason
    assert (found.numbers["goals"], found.numbers["unmeasured"], found.numbers["unproven"]) == (2.0, 1.0, 0.0)
    alone = check(reached(0.95, None))
    assert "measured of the champion alone: precision of abcdef012345" in alone.reason
    assert alone.numbers["unproven"] == 1.0


def test_one_broken_goal_is_enough_and_is_named_first() -> None:
    found = check(reached(0.95, 0.95), reached(0.95, None), reached(0.95, 0.85, metric="recall"))
    assert found.outcome == "fail"
    assert found.reason == "breaks 1 of 3 goals: recall of abcdef012345 is 0.85, below 0.9, and the champion's 0.95"
    assert (found.numbers["recall_1_challenger"], found.numbers["recall_1_challenger_high"]) == (0.85, 0.87)
    assert (found.numbers["recall_1_floor"], found.numbers["precision_2_champion"]) == (0.9, 0.95)


def test_without_goals_nothing_is_to_be_kept() -> None:
    found = check()
    assert (found.outcome, found.reason, found.numbers["goals"]) == ("pass", "no goal is to be kept", 0.0)


def test_what_nobody_measured_is_inconclusive() -> None:
    assert keeps_goals.check(Evidence(), Limits()).outcome == "inconclusive"
    assert keeps_goals.check(read_evidence({"goals": [{"goal": 7}]}), Limits()).outcome == "inconclusive"
    assert keeps_goals.check(read_evidence({"goals": "all kept"}), Limits()).outcome == "inconclusive"


def test_many_goals_fill_no_page() -> None:
    broken = [reached(0.95, 0.85, goal=f"goal-{place}") for place in range(40)]
    found = check(*broken)
    assert found.reason.endswith("; and 35 more")
    assert len(found.numbers) < 60
    assert found.numbers["broken"] == 40.0


@pytest.mark.parametrize(
    ("value", "reach", "standing"),
    [(0.95, 0.02, "met"), (0.85, 0.02, "missed"), (0.91, 0.02, "not_known"), (0.9, 0.0, "met"), (0.99, 0.02, "not_known")],
)
def test_a_standing_is_known_where_the_whole_interval_says_it(value: float, reach: float, standing: str) -> None:
    one = reached(value, value, ceiling=0.98)
    assert one.standing(around(value, reach)) == standing


def test_without_a_bound_or_a_value_nothing_is_known() -> None:
    assert reached(0.9, 0.9, floor=None).standing(around(0.9)) == "not_known"
    assert reached(0.9, 0.9).standing(None) == "not_known"


def test_evidence_survives_its_way_through_the_ledger() -> None:
    one = reached(0.95, 0.9)
    assert read_evidence({"goals": [msgspec.to_builtins(one) | {"baseline": None}]}).goals == (one,)
