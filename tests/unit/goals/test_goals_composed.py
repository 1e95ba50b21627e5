"""Sentences composed of clauses whose meaning is known, in any order: each is compiled as its clauses mean, or not at all."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest

from daemon.goals.base import NotUnderstood, understand
from daemon.goals.grammar import Grammar
from daemon.goals.objective import read, written
from tests.kit.sayings import vocabularies

KNOWN = vocabularies()["churn"]
Clause = tuple[str, dict[str, Any]]

FLOOR = {"aim": "hold", "metric": "recall", "direction": "higher", "floor": 0.8}
CEILING = {"aim": "hold", "metric": "error_rate", "direction": "lower", "ceiling": 0.05}
HOLDS: list[Clause] = [
    *((said, FLOOR) for said in (
        "keep recall at 80 %", "recall must be at least 80 %", "don't let recall fall below 80 %", "recall >= 0.8",
        "we need 80 % recall", "recall should stay above 80 percent", "a recall of less than 80 % is unacceptable",
        "hold recall at 0.8 or better", "80 % recall or more is required", "recall has to climb to 80 %",
        "prevent recall from dropping under 80 %", "under no circumstances may recall go below 80 %",
        "the minimum acceptable recall is 80 %", "recall mustn't be lower than 0.8",
    )),
    *((said, CEILING) for said in (
        "keep the error rate below 5 %", "cap the error rate at 5 %", "the error rate must not exceed 5 %", "error rate <= 0.05",
        "the error rate may be up to 5 %", "no more than 5 % error rate", "bring the error rate down to 5 %",
        "the error rate has to come in under 5 %", "an error rate above 5 % is not acceptable", "an error rate of 5 % at most",
    )),
]  # fmt: skip
CHANGES: list[Clause] = [
    *((said, {"aim": "improve", "metric": "recall", "direction": "higher", "change": {"by": 0.03, "of": "points"}}) for said in (
        "improve recall by 3 points", "recall should go up by at least 3 points", "gain 3 points of recall",
        "3 points more recall", "recall 3 points above today's level", "an improvement in recall of 3 percentage points",
    )),
    *((said, {"aim": "hold", "metric": "recall", "direction": "higher", "change": {"by": 0.02, "of": "points"}}) for said in (
        "recall must not drop by more than 2 points", "lose at most 2 points of recall",
        "keep recall within 2 points of today's value", "a drop in recall of at most 2 points",
        "recall mustn't get more than 2 points worse",
    )),
    *((said, {"aim": "improve", "metric": "log_loss", "direction": "lower"}) for said in (
        "minimise log loss", "bring log loss down", "the lowest possible log loss", "improve log loss",
        "get log loss as low as possible",
    )),
]  # fmt: skip
PREDICTIONS: list[Clause] = [(said, {"aim": "predict", "target": "churned"}) for said in (
    "predict churn", "forecast attrition", "build a churn model", "tell me who will churn", "we need churn predictions",
    "predict which customers will churn", "churn is to be predicted",
)]  # fmt: skip
COHORTS: list[Clause] = [
    *((said, {"cohort": {"plan": ["premium"]}}) for said in ("for premium customers", "for users on the premium plan",
    "where plan is premium")),
    *((said, {"cohort": {"country": ["DE", "FR"]}}) for said in ("for customers in FR or DE", "where country in (FR, DE)",
    "in FR and DE")),
    *((said, {"cohort": {"age": {"from": 18, "below": 30}}}) for said in ("for customers aged at least 18 but under 30",
    "for 18 <= age < 30")),
    ("for young customers in IT", {"cohort": {"age": {"below": 30}, "country": ["IT"]}}),
    ("for orders worth at least 250 EUR", {"cohort": {"order_value": {"from": 250}}}),
    ("for new customers on web", {"cohort": {"tenure": {"below": 6}, "channel": ["web"]}}),
]  # fmt: skip
HORIZONS: list[Clause] = [
    *((said, {"horizon": {"first": "2026-11-23", "last": "2027-03-31"}}) for said in (
        "until 31 March 2027", "by the end of Q1 2027", "before 2027-04-01", "through 2027-03-31",
    )),
    *((said, {"horizon": {"first": "2027-01-01", "last": "2027-03-31"}}) for said in (
        "next quarter", "in Q1 2027", "from January to March 2027", "during the first quarter of 2027",
    )),
]  # fmt: skip
OVERS: list[Clause] = [
    *((said, {"over": "30 days"}) for said in ("over any 30 days", "in every 30-day window", "on a rolling 30-day basis")),
    *((said, {"over": "1 month"}) for said in ("in each month", "measured monthly")),
]
COSTS: list[Clause] = [
    *((said, {"cost": {"money": 200, "currency": "EUR"}}) for said in (
        "spend at most 200 euros", "on a 200 euro budget", "without spending more than 200 EUR",
        "the cost must stay below 200 EUR",
    )),
    *((said, {"cost": {"money": 100, "currency": "USD", "per": "month"}}) for said in (
        "spend no more than $100 a month", "monthly costs of at most 100 dollars", "each month spend at most 100 USD",
        "with a budget of 100 USD per month",
    )),
    *((said, {"cost": {"training_minutes": 30}}) for said in ("at most 30 minutes of training",
    "train for no longer than half an hour")),
    ("each retraining may take at most 1 GPU hour", {"cost": {"gpu_minutes": 60, "per": "retraining"}}),
]  # fmt: skip


LEAST = {", ": 0.97, "; ": 0.97, ". ": 0.97, " - ": 0.9, " and ": 0.85, " ": 0.85}
"""How many of the sentences are compiled, by what stands between their clauses."""


def compiled(clauses: list[Clause], order: np.random.Generator, joint: str) -> bool:
    """Whether a sentence of some clauses is compiled; it must mean what they mean then."""
    order.shuffle(clauses)
    while any({"over", "cost"} <= {*one[1], *other[1]} for one, other in pairwise(clauses)):
        order.shuffle(clauses)  # `spend at most 200 EUR in each month` says what may be spent
    sentence = joint.join(said for said, _ in clauses)
    meant: dict[str, Any] = {"model": "churn"}
    for _, means in clauses:
        meant |= means
    answer = understand(Grammar(), sentence, KNOWN)
    if isinstance(answer, NotUnderstood):
        return False
    assert written(answer) == written(read(meant)), sentence
    return True


@pytest.mark.parametrize(("seed", "joint"), [*product(range(2), LEAST)])
def test_clauses_mean_together_what_they_mean_alone(seed: int, joint: str):
    order = np.random.default_rng(seed)
    understood = total = 0
    for core in (*HOLDS, *CHANGES, *PREDICTIONS):
        for _ in range(6):
            others = [COHORTS, HORIZONS, COSTS, *([] if core in PREDICTIONS else [OVERS])]
            banks = order.permutation(len(others))[: order.integers(len(others), endpoint=True)].tolist()
            clauses = [core, *(others[bank][order.integers(len(others[bank]))] for bank in banks)]
            understood += compiled(clauses, order, joint)
            total += 1
    assert understood >= LEAST[joint] * total


@pytest.mark.parametrize("bank", [HOLDS, CHANGES, PREDICTIONS], ids=["holds", "changes", "predictions"])
def test_each_clause_is_understood_alone(bank: list[Clause]):
    order = np.random.default_rng(0)
    assert all(compiled([clause], order, " ") for clause in bank)


@pytest.mark.parametrize("bank", [COHORTS, HORIZONS, OVERS, COSTS], ids=["cohorts", "horizons", "overs", "costs"])
def test_each_clause_is_understood_behind_a_goal(bank: list[Clause]):
    for said, means in bank:
        answer = understand(Grammar(), f"keep recall at 80 %, {said}", KNOWN)
        assert not isinstance(answer, NotUnderstood), (said, answer.findings)
        assert written(answer) == written(read({"model": "churn", **FLOOR, **means})), said
