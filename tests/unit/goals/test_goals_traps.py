"""Sentences that look like goals and aren't, or that could mean two things; and input that wants to do harm."""

import datetime as dt

import msgspec
import pytest

from daemon.goals.base import NotUnderstood, understand
from daemon.goals.checks import UNSEEN
from daemon.goals.grammar import Grammar
from daemon.goals.objective import Objective, written
from streams.contracts.schema import Column, ModelSchema
from tests.kit.sayings import vocabularies

KNOWN = vocabularies()

TRAPS = {
    "keep precision at 95 % for all but European customers": "unknown_words",
    "precision must be 95 % in FR, 95 % in DE": "ambiguous_cohort",
    "precision at 95 % for FR and at 90 % for DE": "two_numbers",
    "don't let precision be at least 95 %": "negation",
    "we don't want a recall of 80 %": "negation",
    "improve recall without losing precision": "two_metrics",
    "predict which customers will not churn": "negation",
    "predict who won't churn": "negation",
    "keep recall above 80 % in 30 days": "unknown_words",
    "keep recall above 80 % by 2027": "ambiguous_time",
    "keep recall above 80 % until 2026-01-01": "past",
    "keep recall at 80 % of today's value": "unknown_words",
    "keep recall 80 % higher than today": "unknown_words",
    "increase recall 80 %": "two_aims",
    "raise recall from 70 % to 80 %": "two_numbers",
    "reduce the error rate by 20 %": "unit",
    "recall above 80 % on 95 % of days": "unknown_words",
    "accuracy above 95 % with 95 % confidence": "unknown_words",
    "improve recall for 200 euros": "unknown_words",
    "improve recall for at least 200 euros": "unknown_words",
    "keep recall above 80 % for premium customers that spend at most 20 euros": "ambiguous_cohort",
    "keep recall above 80 % for premium customers with a budget of 20 euros": "ambiguous_cohort",
    "KEEP RECALL ABOVE 80 % FOR US CUSTOMERS": "unknown_words",
    "keep recall above 80 % for it customers": "unknown_words",
    "keep recall above 80 % for each of FR and DE": "unknown_words",
    "keep recall above 80 % in every segment": "unknown_words",
    "keep recall above 80 % in every European segment": "ambiguous_cohort",
    "recall 80 % each for FR and DE": "unknown_words",
    "keep recall above 80 %, measured every 14 days": "unknown_words",
    "keep recall above 80 % for each customer": "unknown_words",
    "keep recall above 80 % for customers": "unknown_words",
    "keep recall above 80 % for premium basic": "ambiguous_cohort",
    "predict churn for premium and not basic": "negation",
    "predict churn and improve recall": "two_aims",
    "predict churn every week": "ambiguous_time",
    "reduce churn by 5 points": "no_aim",
    "keep p99 latency at 200": "unit",
    "recall at 1": "unit",
    "recall above 0.8%": "unit",
    "recall above 0": "out_of_range",
    "error rate at most 100 %": "out_of_range",
    "will recall be above 80 %?": "no_aim",
    "is recall above 80 %?": "unknown_words",
    "recall != 95 %": "negation",
    "80 % < recall": "unknown_words",
    "recall 70-80 %": "unknown_words",
    "recall above 95²": "unknown_words",
    "recall above ٩٥ %": "unknown_words",
    "recall above 1.234.5": "bad_number",
    "recall above 1,234": "bad_number",
    "recall above 1234567890123456": "bad_number",
    "predict churn until 2027-02-30": "ambiguous_time",
    "predict churn within 9999 years": "ambiguous_time",
    "keep recall above 80 % within 5 hours": "ambiguous_time",
    'predict churn where country is "XX"': "unknown_value",
    "keep recall above 80 % for country": "unknown_words",
    "improve recall, monthly budget of 50 EUR per week": "cost_unit",
    "improve recall, budget 50 EUR, budget 60 EUR": "two_costs",
    "a minimum precision": "no_number",
    "recall falls by more than 2 points": "negation",
    "don't let recall drop by at most 2 points": "negation",
}  # fmt: skip


@pytest.mark.parametrize(("sentence", "code"), TRAPS.items(), ids=list(TRAPS))
def test_a_trap_is_told(sentence: str, code: str):
    answer = understand(Grammar(), sentence, KNOWN["churn"])
    assert isinstance(answer, NotUnderstood), answer
    assert code in {finding.code for finding in answer.findings}, answer.findings


@pytest.mark.parametrize(
    ("sentence", "part"),
    [
        ("keep precision at 95 % for left-handed customers", "'for left handed customers'"),
        ("keep precision at 95 % unless FR objects", "'unless'"),
        ("keep wibble at 95 %", "'wibble'"),
    ],
)
def test_the_words_that_were_not_understood_are_named(sentence: str, part: str):
    answer = understand(Grammar(), sentence, KNOWN["churn"])
    assert isinstance(answer, NotUnderstood)
    assert any(part in finding.text for finding in answer.findings), answer.findings


@pytest.mark.parametrize("hostile", ["\x1b[2J", "\x00", "\u202e", "\u200b", "\ud800", "\u2028", "\x7f"])
def test_what_cannot_be_seen_is_refused_and_never_repeated(hostile: str):
    answer = understand(Grammar(), f"keep recall above 80 %{hostile} for FR", KNOWN["churn"])
    assert isinstance(answer, NotUnderstood)
    assert [finding.code for finding in answer.findings] == ["control_character"]
    said = "".join(finding.text for finding in answer.findings) + answer.form
    assert hostile[0] not in said


@pytest.mark.parametrize("sentence", ["a" * 10_000, "recall " * 2_000, "9" * 10_000, '"' * 10_000, "((((" * 2_500])
def test_a_long_sentence_is_refused_before_it_is_read(sentence: str):
    answer = understand(Grammar(), sentence, KNOWN["churn"])
    assert isinstance(answer, NotUnderstood)
    assert [finding.code for finding in answer.findings] == ["too_long"]
    assert len(answer.findings[0].text) < 200


@pytest.mark.parametrize("sentence", ["", "   ", "\n\t"])
def test_nothing_is_told_as_nothing(sentence: str):
    answer = understand(Grammar(), sentence, KNOWN["churn"])
    assert isinstance(answer, NotUnderstood)
    assert answer.findings[0].code == "empty"


@pytest.mark.parametrize(
    ("written_so", "value"),
    [
        ("0.95", 0.95),
        ("0,95", 0.95),
        (".95", 0.95),
        ("95%", 0.95),
        ("95 %", 0.95),
        ("95,5 %", 0.955),
        ("\uff19\uff15\uff05", 0.95),
        ("99.9 %", 0.999),
    ],
)
def test_numbers_are_read_as_people_write_them(written_so: str, value: float):
    answer = understand(Grammar(), f"recall at least {written_so}", KNOWN["churn"])
    assert isinstance(answer, Objective)
    assert answer.floor == value


@pytest.mark.parametrize(
    ("today", "said", "days"),
    [
        ("2026-11-23", "next quarter", ("2027-01-01", "2027-03-31")),
        ("2026-12-31", "next month", ("2027-01-01", "2027-01-31")),
        ("2028-01-31", "next month", ("2028-02-01", "2028-02-29")),
        ("2026-11-23", "next week", ("2026-11-30", "2026-12-06")),
        ("2026-11-23", "next year", ("2027-01-01", "2027-12-31")),
        ("2026-11-23", "this year", ("2026-01-01", "2026-12-31")),
        ("2026-11-23", "before 2027-04-01", ("2026-11-23", "2027-03-31")),
        ("2026-11-23", "by March 31st, 2027", ("2026-11-23", "2027-03-31")),
        ("2026-11-23", "until the end of Q2 2027", ("2026-11-23", "2027-06-30")),
        ("2026-01-31", "for the next month and for the next 1 month", None),
        ("2026-01-31", "for the next 1 month", ("2026-01-31", "2026-02-27")),
    ],
)
def test_times_become_days_by_the_given_clock(today: str, said: str, days: tuple[str, str] | None):
    known = vocabularies(dt.date.fromisoformat(today))["churn"]
    answer = understand(Grammar(), f"recall at least 80 % {said}", known)
    if days is None:
        assert isinstance(answer, NotUnderstood)
    else:
        assert isinstance(answer, Objective), answer
        assert written(answer)["horizon"] == {"first": days[0], "last": days[1]}


def test_a_column_called_as_a_metric_is_never_taken_for_it():
    columns = (Column(name="accuracy", kind="number"), Column(name="plan", kind="category"))
    known = msgspec.structs.replace(
        KNOWN["churn"], schema=ModelSchema(columns=columns), cohorts=(), values={"plan": ("max", "over")}
    )
    assert isinstance(understand(Grammar(), "keep recall above 80 % where accuracy is below 20", known), NotUnderstood)
    answer = understand(Grammar(), "recall max 80 %", known)
    assert isinstance(answer, NotUnderstood)
    assert [finding.code for finding in answer.findings] == ["wrong_way"]


def test_a_value_of_two_columns_is_ambiguous():
    columns = tuple(Column(name=name, kind="category") for name in ("country", "shipped_to"))
    values = {"country": ("FR", "DE"), "shipped_to": ("FR", "DE")}
    known = msgspec.structs.replace(
        KNOWN["churn"], schema=ModelSchema(columns=columns), cohorts=(), values=values, closed=frozenset(values), targets={}
    )
    answer = understand(Grammar(), "recall at least 80 % for FR and DE", known)
    assert isinstance(answer, NotUnderstood)
    assert [finding.code for finding in answer.findings] == ["ambiguous_cohort"]
    said = understand(Grammar(), "recall at least 80 % for shipped to FR and DE", known)
    assert isinstance(said, Objective)
    assert written(said)["cohort"] == {"shipped_to": ["DE", "FR"]}


def test_unseen_characters_are_those_of_unicode():
    assert {"Cc", "Cf", "Cs"} <= UNSEEN
