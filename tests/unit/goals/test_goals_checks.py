"""Whatever compiled it, an objective is held against what is declared; and what is declared is held against itself."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
import yaml
from pydantic import ValidationError

from daemon.goals.base import NotUnderstood, checked, understand
from daemon.goals.checks import MOST_FINDINGS
from daemon.goals.objective import Change, Cost, Objective, Period, read, written, yaml_text
from daemon.goals.telling import tell
from daemon.goals.vocabulary import Vocabulary
from daemon.settings import GovernedModelSettings
from streams.contracts.errors import ContractError
from streams.contracts.slices import Condition
from tests.kit.sayings import vocabularies

KNOWN = vocabularies()["churn"]
GOOD = Objective(model="churn", aim="hold", metric="recall", direction="higher", floor=0.8)
TWICE = (Condition(column="age", low=1.0), Condition(column="age", high=2.0))

BAD: dict[str, dict[str, Any]] = {
    "other_model": {"model": "delivery"},
    "unknown_metric": {"metric": "wibble"},
    "metric_of_other_task": {"metric": "rmse", "direction": "lower"},
    "no_metric": {"metric": None},
    "wrong_way": {"direction": "lower"},
    "out_of_range": {"floor": 1.2},
    "no_aim": {"floor": None},
    "two_aims": {"target": "churned"},
    "ambiguous_cohort": {"cohort": TWICE},
    "closed_column": {"cohort": (Condition(column="email", values=("a",)),)},
    "unknown_value": {"cohort": (Condition(column="country", values=("XX",)),)},
    "ambiguous_time": {"horizon": "30 days"},
    "past": {"horizon": Period(first=dt.date(2020, 1, 1), last=dt.date(2020, 2, 1))},
    "cost_unit": {"cost": Cost(money=5.0)},
}


class Scripted:
    """A compiler that answers what it was told to."""

    def __init__(self, answer: Objective | NotUnderstood) -> None:
        self._answer = answer

    def compile(self, sentence: str, vocabulary: Vocabulary) -> Objective | NotUnderstood:
        return self._answer


@pytest.mark.parametrize(("code", "changes"), BAD.items(), ids=list(BAD))
def test_what_any_compiler_returns_is_checked(code: str, changes: dict[str, Any]):
    assert understand(Scripted(GOOD), "", KNOWN) == GOOD
    answer = understand(Scripted(msgspec.structs.replace(GOOD, **changes)), "whatever", KNOWN)
    assert isinstance(answer, NotUnderstood)
    assert code in {finding.code for finding in answer.findings}


@pytest.mark.parametrize(
    "changes",
    [
        {"floor": float("nan")}, {"floor": float("inf")}, {"floor": -0.1}, {"floor": 0.0}, {"ceiling": 0.5}, {"ceiling": 1.0},
        {"floor": None, "ceiling": 0.9}, {"floor": None, "change": Change(by=0.0, of="points")},
        {"floor": None, "change": Change(by=2.0, of="points")}, {"floor": None, "change": Change(by=1.0, of="relative")},
        {"cohort": (Condition(column="nothing", values=("a",)),)}, {"cohort": (Condition(column="age", values=("a",)),)},
        {"cohort": (Condition(column="region", values=('a"b',)),)}, {"cohort": (Condition(column="region", values=("\x1b",)),)},
        {"cohort": (Condition(column="age", low=float("nan")),)}, {"cost": Cost()}, {"cost": Cost(training_minutes=0.0)},
        {"over": "a while"}, {"over": "1 days"}, {"horizon": Period(first=dt.date(2027, 2, 1), last=dt.date(2027, 1, 1))},
        {"cohort": tuple(Condition(column="region", values=(f"v{n}",)) for n in range(30))},
        {"cohort": (Condition(column="region", values=tuple(f"v{n}" for n in range(300))),)},
    ],
    ids=lambda changes: str(changes)[:60],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(changes: dict[str, Any]):
    assert isinstance(checked(msgspec.structs.replace(GOOD, **changes), KNOWN), NotUnderstood)


HOSTILE = {
    "many columns": {"cohort": tuple(Condition(column=f"c{n}\x1b[2J", values=("a",)) for n in range(50_000))},
    "many values": {"cohort": (Condition(column="plan", values=tuple(f"v{n}" for n in range(50_000))),)},
    "many bad values": {"cohort": tuple(Condition(column=name, values=('a"',) * 100) for name in ("region", "plan") * 30)},
    "a long value": {"cohort": (Condition(column="region", values=("v" * 500_000,)),)},
    "a long column": {"cohort": (Condition(column="c" * 500_000, values=("v",)),)},
    "a long metric": {"metric": "m" * 500_000},
    "a long target": {"aim": "predict", "target": "t" * 500_000},
}  # fmt: skip


@pytest.mark.parametrize("changes", HOSTILE.values(), ids=list(HOSTILE))
def test_what_is_too_much_is_refused_in_few_words(changes: dict[str, Any]):
    answer = checked(msgspec.structs.replace(GOOD, **changes), KNOWN)
    assert isinstance(answer, NotUnderstood)
    assert len(answer.findings) <= MOST_FINDINGS + 1
    said = "".join(finding.text for finding in answer.findings)
    assert len(said) < 5_000
    assert "\x1b" not in said


def answer_to_form(values: Any) -> str:
    """What is said of a form that isn't taken."""
    try:
        answer = checked(read(values), KNOWN)
    except ContractError as error:
        return str(error)
    assert isinstance(answer, NotUnderstood)
    return answer.form


@pytest.mark.parametrize("changes", HOSTILE.values(), ids=list(HOSTILE))
def test_a_form_that_holds_too_much_is_refused_in_few_words(changes: dict[str, Any]):
    assert len(answer_to_form(written(msgspec.structs.replace(GOOD, **changes)))) < 5_000


def test_a_form_is_not_read_deeper_than_goals_go():
    deep: Any = "2027-01-01"
    for _ in range(5_000):
        deep = {"first": deep}
    with pytest.raises(ContractError):
        read({"model": "churn", "aim": "hold", "horizon": deep})


def test_a_prediction_has_a_target_and_says_how_good_or_nothing_of_it():
    wanted = Objective(model="churn", aim="predict", target="churned", horizon="30 days")
    assert checked(wanted, KNOWN) == wanted
    for changes in ({"target": None}, {"target": "nothing"}, {"target": "email"}, {"metric": "recall", "direction": "higher"}):
        assert isinstance(checked(msgspec.structs.replace(wanted, **changes), KNOWN), NotUnderstood)


@pytest.mark.parametrize(
    "text",
    [
        "[]", "3", "aim: hold", "model: churn\naim: hlod", "model: churn\naim: hold\nfloor: high",
        "model: churn\naim: hold\nflor: 1",
        "model: churn\naim: hold\ncohort: [a]", "model: churn\naim: hold\ncohort: {age: 3}",
        "model: churn\naim: hold\ncohort: {a: {to: 3}}", "model: churn\naim: hold\nhorizon: {first: 2027-01-01}",
        "model: churn\naim: hold\nhorizon: 2027-01-01", "model: churn\naim: hold\ncohort: {1: [2]}",
        "model: churn\naim: hold\nchange: {by: 1, of: parts}",
    ],
)  # fmt: skip
def test_a_form_that_is_none_is_refused(text: str):
    with pytest.raises(ContractError):
        read(yaml.safe_load(text))


def test_a_form_says_the_same_as_the_words():
    text = (
        "model: churn\naim: hold\nmetric: recall\ndirection: higher\nfloor: 0.8\ncohort: {country: [FR, DE], age: {from: 18}}\n"
    )
    text += "horizon: {first: 2027-01-01, last: 2027-03-31}\ncost: {money: 200, currency: EUR, per: month}\n"
    answer = checked(read(yaml.safe_load(text)), KNOWN)
    assert isinstance(answer, Objective)
    assert read(yaml.safe_load(yaml_text(answer))) == answer
    assert list(written(answer)) == ["model", "aim", "metric", "direction", "floor", "cohort", "horizon", "cost"]
    assert tell(answer) == (
        "For the model churn: recall is to be at least 0.8 (80 %). Only requests count where age is at least 18 and "
        'country is "DE" or "FR". It is for the days from 2027-01-01 to 2027-03-31, both included. '
        "It may cost for each month: at most 200 EUR."
    )


def test_the_same_goal_has_the_same_digest_however_it_is_ordered():
    age = Condition(column="age", low=1.0)
    one = msgspec.structs.replace(GOOD, cohort=(Condition(column="plan", values=("premium", "basic")), age))
    other = msgspec.structs.replace(GOOD, cohort=(age, Condition(column="plan", values=("basic", "premium"))))
    assert one.digest == other.digest
    assert checked(one, KNOWN) == checked(other, KNOWN)
    assert one.digest != GOOD.digest != msgspec.structs.replace(GOOD, model="delivery").digest


@pytest.mark.parametrize(
    ("goals", "problem"),
    [
        ({"cohorts": {"young": {"nothing": ["a"]}}}, "no column 'nothing'"),
        ({"cohorts": {"young": {"age": ["a"]}}}, "age is a number"),
        ({"cohorts": {"by mail": {"email": ["a"]}}}, "tagged pii"),
        ({"cohorts": {"New Customers": {"age": {"from": 1}}}}, "two are called 'new customers'"),
        ({"cohorts": {"95": {"age": {"from": 1}}}}, "cohorts"),
        ({"values": {"nothing": ["a"]}}, "no column 'nothing'"),
        ({"values": {"age": ["a"]}}, "must be a category"),
        ({"values": {"plan": []}}, "at least one value"),
        ({"targets": {"churn": "nothing"}}, "no column 'nothing'"),
        ({"targets": {"mail": "email"}}, "is tagged"),
    ],
)
def test_a_config_that_contradicts_itself_is_refused(goals: dict[str, Any], problem: str):
    columns = [
        {"name": "age", "kind": "number"}, {"name": "plan", "kind": "category"},
        {"name": "email", "kind": "category", "role": "key", "tags": ["pii"]},
    ]  # fmt: skip
    model = {"name": "m", "schema": {"columns": columns}, "slices": {"new_customers": {"age": {"below": 6}}}}
    assert GovernedModelSettings.model_validate(model)
    with pytest.raises(ValidationError, match=problem):
        GovernedModelSettings.model_validate({**model, "goals": goals})
