"""Metrics that are described by what the model does, what belongs to no goal, and what only seems to be one."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.goals.base import NotUnderstood, understand
from daemon.goals.grammar import Grammar
from daemon.goals.objective import written
from tests.kit.sayings import vocabularies

KNOWN = vocabularies()


def said(sentence: str, model: str = "churn") -> dict[str, Any] | None:
    """What a sentence says beside model and direction, None where it isn't compiled."""
    answer = understand(Grammar(), sentence, KNOWN[model])
    if isinstance(answer, NotUnderstood):
        return None
    return {name: value for name, value in written(answer).items() if name not in {"model", "direction"}}


def codes(sentence: str, model: str = "churn") -> set[str]:
    answer = understand(Grammar(), sentence, KNOWN[model])
    assert isinstance(answer, NotUnderstood), sentence
    return {finding.code for finding in answer.findings}


@pytest.mark.parametrize(
    ("sentence", "metric", "end"),
    [
        ("catch at least three quarters of the customers who churn", "recall", {"floor": 0.75}),
        ("at least 9 out of 10 churners must be caught", "recall", {"floor": 0.9}),
        ("of the people we flag as churners, no fewer than 70 % should really churn", "precision", {"floor": 0.7}),
        ("at least 80 % of our churn alerts should be right", "precision", {"floor": 0.8}),
        ("the model must be right in at least 90 % of cases", "accuracy", {"floor": 0.9}),
        ("it should be wrong in at most 5 % of cases", "error_rate", {"ceiling": 0.05}),
    ],
)
def test_a_metric_is_described_by_what_the_model_does(sentence: str, metric: str, end: dict[str, float]):
    assert said(sentence) == {"aim": "hold", "metric": metric, **end}


@pytest.mark.parametrize(
    "sentence",
    [
        "catch 80 %", "churners must be caught", "the model must be right", "be right 90 %", "80 % should really churn",
        "catch at least 80 % of the customers", "we flag 80 % as churners",
    ],
)  # fmt: skip
def test_half_a_description_is_none(sentence: str):
    assert said(sentence) is None


def test_how_far_off_predictions_are_is_the_mean_absolute_error():
    wanted = {"aim": "hold", "metric": "mae", "ceiling": 5}
    assert said("on average predictions should be off by at most 5 minutes", "delivery") == wanted
    assert said("predictions should be off by at most 5 minutes", "delivery") is None


def test_a_country_is_named_in_columns_of_countries_alone():
    wanted = {"aim": "hold", "metric": "recall", "floor": 0.8, "cohort": {"country": ["DE", "IT"]}}
    assert said("recall of 80 % or more in Germany and Italy") == wanted
    assert said("recall of 80 % or more for German and Italian customers") == wanted
    assert said("recall of 80 % or more in Spain") is None
    assert said("recall of 80 % or more for Americans") != {**wanted, "cohort": {"country": ["US"]}}


@pytest.mark.parametrize(
    ("sentence", "horizon"),
    [
        ("recall above 80 % throughout December", {"first": "2026-12-01", "last": "2026-12-31"}),
        ("recall above 80 % until the end of March", {"first": "2026-11-23", "last": "2027-03-31"}),
        ("recall above 80 % until the end of November", {"first": "2026-11-23", "last": "2026-11-30"}),
        ("recall above 80 % until 28 February", {"first": "2026-11-23", "last": "2027-02-28"}),
        ("recall above 80 % from 15 December to 15 January", {"first": "2026-12-15", "last": "2027-01-15"}),
        ("recall above 80 % in Q1 of next year", {"first": "2027-01-01", "last": "2027-03-31"}),
    ],
)
def test_without_a_year_the_next_one_is_meant(sentence: str, horizon: dict[str, str]):
    assert (said(sentence) or {}).get("horizon") == horizon


@pytest.mark.parametrize("time", ["in November", "in October", "until 1 November", "by March", "from Q1 until 2027"])
def test_a_month_that_may_be_over_is_asked_about(time: str):
    assert "ambiguous_time" in codes(f"recall above 80 % {time}")


@pytest.mark.parametrize(
    "sentence",
    [
        "Our new regional risk officer insists on recall above 80 %", "Under the risk framework recall must be above 80 %",
        "The parties agree that recall shall be above 80 %", "From a risk perspective we need recall above 80 %",
        "Pursuant to section 4 of our agreement, recall must be above 80 %",
    ],
)  # fmt: skip
def test_who_wants_it_is_passed_over(sentence: str):
    assert said(sentence) == {"aim": "hold", "metric": "recall", "floor": 0.8}


@pytest.mark.parametrize(
    "sentence",
    [
        "Our premium team wants recall above 80 %", "for students the board wants recall above 80 %",
        "our Hamburg branch wants recall above 80 %", "keep recall above 80 % for them", "the board said recall is above 80 %",
        "recall stayed above 80 %", "the error rate has dropped below 5 %", "predict if possible delays",
    ],
)  # fmt: skip
def test_what_may_be_part_of_a_goal_is_not_passed_over(sentence: str):
    assert said(sentence) is None


def test_what_a_run_costs_is_for_each():
    goal = {"aim": "hold", "metric": "recall", "floor": 0.8}
    wanted = {**goal, "cost": {"money": 10, "currency": "CHF", "per": "retraining"}}
    assert said("A training run may not cost more than 10 francs; recall is to be kept at 80 %") == wanted
    assert codes("training runs may cost at most 10 EUR each, keep recall at 80 %") >= {"cost_unit"}
    both = {"money": 200, "currency": "EUR", "gpu_minutes": 120}
    assert said("keep recall at 80 %, at most 200 euros and 2 GPU hours") == {**goal, "cost": both}
    assert said("keep recall at 80 %, at most €1,500") == {**goal, "cost": {"money": 1500, "currency": "EUR"}}
    assert said("keep recall at 80 %, at most 1.500 EUR") is None
