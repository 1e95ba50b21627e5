"""Bars, and what is judged over the whole suite."""

from typing import NamedTuple

import pytest

from tests.bench.closed_loop.metrics.bars import BarResult, evaluate
from tests.bench.closed_loop.metrics.suite import retrain_share, worst_shortfall


class Limit(NamedTuple):
    metric: str = "mean_quality"
    policy: str = "driftwake"
    at_least: float | None = None
    at_most: float | None = None
    first_day: int | None = None
    last_day: int | None = None


@pytest.mark.parametrize(
    ("bar", "value", "held"),
    [
        (Limit(at_least=0.75), 0.75, True),
        (Limit(at_least=0.75), 0.7499, False),
        (Limit(at_least=0.75), None, None),
        (Limit(at_least=0.75), float("nan"), None),
        (Limit(at_most=0), 0, True),
        (Limit(at_most=0), 1, False),
        (Limit(at_most=6), None, None),
        (Limit(at_least=0.0), -0.1, False),
    ],
)
def test_a_limit_itself_is_held(bar: Limit, value: float | None, held: bool | None):  # noqa: FBT001 - a parameter of the test
    (found,) = evaluate([bar], lambda _: value)
    assert found.held is held
    assert (found.value is None) == (held is None)


def test_what_never_came_misses_a_bar_without_a_number():
    (found,) = evaluate([Limit("hours_to_hold_out", at_most=1)], lambda _: float("inf"))
    assert found == BarResult("hours_to_hold_out", "driftwake", None, 1, held=False, sense="at_most")


def test_a_result_says_what_it_is_about():
    bar = Limit("auc", "weekly", at_most=0.5, first_day=105, last_day=121)
    expected = BarResult("auc", "weekly", 105, 0.5, held=False, sense="at_most", first_day=105, last_day=121)
    assert evaluate([bar], lambda asked: asked.first_day) == (expected,)


@pytest.mark.parametrize("bar", [Limit(), Limit(at_least=0.1, at_most=0.2)])
def test_a_bar_has_one_limit(bar: Limit):
    with pytest.raises(ValueError, match="exactly one"):
        evaluate([bar], lambda _: None)


def test_retrains_are_compared_where_both_ran():
    assert retrain_share({"C0": 0, "C11a": 2, "C2": 9}, {"C0": 51, "C11a": 49}) == pytest.approx(0.02)
    assert retrain_share({"C0": 1}, {"C0": 0}) is None
    assert retrain_share({}, {"C0": 3}) is None


def test_the_worst_shortfall():
    ours, weekly = {"C0": 0.72, "C2": 0.9, "C3": None, "C4": 0.5}, {"C0": 0.73, "C2": 0.8, "C3": 0.9, "C5": 0.9}
    assert worst_shortfall(ours, weekly) == pytest.approx(0.01)
    assert worst_shortfall({"C2": 0.9}, {"C2": 0.8}) == pytest.approx(-0.1)
    assert worst_shortfall({"C3": None}, {"C3": 0.9}) is None
