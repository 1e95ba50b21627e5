"""Small things that sentences are made of: patterns of phrases, forms of verbs, tokens, numbers, days."""

import datetime as dt

import pytest

from daemon.goals.base import understand
from daemon.goals.grammar import Grammar
from daemon.goals.numbers import count_at, number_at, per_cent_at
from daemon.goals.objective import Objective, written
from daemon.goals.patterns import done, forms, spelled
from daemon.goals.reading import Lexicon, Reading, meaning
from daemon.goals.tokens import Token, tokens_of
from tests.kit.sayings import vocabularies

KNOWN = vocabularies()


def reading(text: str, model: str = "churn") -> Reading:
    tokens = tokens_of(text)
    assert isinstance(tokens, tuple)
    return Reading(tokens, KNOWN[model])


def only(text: str) -> Token:
    tokens = tokens_of(text)
    assert isinstance(tokens, tuple)
    assert len(tokens) == 1, tokens
    return tokens[0]


@pytest.mark.parametrize(
    ("pattern", "phrases"),
    [
        ("at least", ["at least"]),
        ("at [the] least", ["at least", "at the least"]),
        ("(no|not) less than", ["no less than", "not less than"]),
        ("per (day|week) [at most]", ["per day", "per day at most", "per week", "per week at most"]),
        ("prediction[s]", ["prediction", "predictions"]),
    ],
)
def test_a_pattern_is_spelled_out(pattern: str, phrases: list[str]):
    assert sorted(spelled(pattern)) == phrases


def test_verbs_are_inflected_into_the_past_only_where_that_is_no_fact():
    assert list(forms("drop")) == ["drop", "drops", "dropping"]
    assert list(forms("fall back")) == ["fall back", "falls back", "falling back"]
    assert list(forms("exceed", "rise", "pass", "see", "be")) == [
        "exceed", "exceeds", "exceeding", "rise", "rises", "rising", "pass", "passes", "passing", "see", "sees", "seeing",
        "be", "bes", "being",
    ]  # fmt: skip
    assert list(done("cap", "satisfy", "stay", "reduce")) == [
        "cap", "caps", "capping", "capped", "satisfy", "satisfies", "satisfying", "satisfied",
        "stay", "stays", "staying", "stayed", "reduce", "reduces", "reducing", "reduced",
    ]  # fmt: skip


def test_the_longest_phrase_counts_and_phrases_can_follow_each_other():
    lexicon = Lexicon({**meaning(1, "at"), **meaning(2, "at [the] least")})
    assert lexicon.at(reading("at the least 3"), 0) == (3, 2)
    assert lexicon.at(reading("at the most"), 0) == (1, 1)
    assert lexicon.at(reading("most"), 0) is None
    assert lexicon.past(reading("at at least at 3"), 0) == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("customers' recall", ["customers", "recall"]),
        ("Berlin's MAE", ["berlin", "'s", "mae"]),
        ("doesn't", ["doesn't"]),
        ("plan is 'premium'", ["plan", "is", "premium"]),
        ("the users' plan is 'basic'.", ["the", "users", "plan", "is", "basic", "."]),
        ("sub-200 ms", ["sub", "-", "200", "ms"]),
        ("95%-precision", ["95", "%", "precision"]),
        ("2 %-points", ["2", "%", "points"]),
        ("x=>3", ["x", "=>", "3"]),
    ],
)
def test_possessives_quotes_and_hyphens_are_parted(text: str, words: list[str]):
    tokens = tokens_of(text)
    assert isinstance(tokens, tuple)
    assert [token.text for token in tokens] == words


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("31.03.2027", dt.date(2027, 3, 31)),
        ("31/3/2027", dt.date(2027, 3, 31)),
        ("3/31/2027", dt.date(2027, 3, 31)),
        ("05/05/2027", dt.date(2027, 5, 5)),
        ("2027/03/31", dt.date(2027, 3, 31)),
        ("04.03.2027", None),
        ("2027/03/04", None),
        ("31.03.27", None),
        ("32.13.2027", None),
    ],
)
def test_a_day_is_read_where_no_country_would_read_another(text: str, day: dt.date | None):
    token = only(text)
    assert token.kind == "day"
    assert token.day == day
    assert bool(token.fault) == (day is None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ninety", 90), ("ninety-five", 95), ("two hundred", 200), ("two hundred and fifty", 250), ("a thousand", 1_000),
        ("two thousand five hundred", 2_500), ("one hundred twenty", 120), ("zero point nine", 0.9),
        ("ninety-two point five", 92.5), ("2k", 2_000), ("1.5 million", 1_500_000), ("1'000", 1_000), ("12'500.50", 12_500.5),
    ],
)  # fmt: skip
def test_numbers_are_read_in_words_too(text: str, value: float):
    found = number_at(reading(text), 0)
    assert found is not None
    assert found.end == len(reading(text).tokens)
    assert found.value.value == value


@pytest.mark.parametrize("text", ["a five", "hundred", "and fifty", "point fifty", "a", "12'50", "one hundred and"])
def test_words_that_make_no_number_are_left(text: str):
    found = number_at(reading(text), 0)
    assert found is None or found.end < len(reading(text).tokens)


def test_parts_of_a_unit_and_of_ten_are_read():
    assert count_at(reading("half an hour"), 0) == (2, 0.5)
    assert count_at(reading("one and a half hours"), 0) == (4, 1.5)
    assert count_at(reading("three quarters of an hour"), 0) == (4, 0.75)
    assert per_cent_at(reading("9 out of 10"), 0) == (4, 90.0)
    assert per_cent_at(reading("nineteen in twenty"), 0) == (3, 95.0)
    assert per_cent_at(reading("11 out of 10"), 0) is None
    assert per_cent_at(reading("2 in 2027"), 0) is None


@pytest.mark.parametrize(
    ("said", "days"),
    [
        ("in H2 2027", ("2027-07-01", "2027-12-31")),
        ("in 2027 Q1", ("2027-01-01", "2027-03-31")),
        ("January to March 2027", ("2027-01-01", "2027-03-31")),
        ("between Q2 and Q3 2027", ("2027-04-01", "2027-09-30")),
        ("from 1 December 2026 to 31 January 2027", ("2026-12-01", "2027-01-31")),
        ("starting now, until 2027-01-31", ("2026-11-23", "2027-01-31")),
        ("by EOQ", ("2026-11-23", "2026-12-31")),
        ("by the end of next week", ("2026-11-23", "2026-12-06")),
        ("until the last day of February 2028", ("2026-11-23", "2028-02-29")),
        ("for the rest of the month", ("2026-11-23", "2026-11-30")),
        ("until tomorrow", ("2026-11-23", "2026-11-24")),
        ("for the next two fortnights", ("2026-11-23", "2026-12-20")),
    ],
)
def test_stretches_of_the_calendar_become_days(said: str, days: tuple[str, str]):
    answer = understand(Grammar(), f"recall at least 80 % {said}", KNOWN["churn"])
    assert isinstance(answer, Objective), answer
    assert written(answer)["horizon"] == {"first": days[0], "last": days[1]}


@pytest.mark.parametrize(
    ("sentence", "by", "of"),
    [
        ("reduce the error rate by 20 % relative", 0.2, "relative"),
        ("improve recall by 5 % in relative terms", 0.05, "relative"),
        ("improve recall by 35 basis points", 0.0035, "points"),
        ("improve log loss by 5 % compared to the champion", 0.05, "relative"),
    ],
)
def test_a_share_changes_by_points_unless_it_is_said_that_it_is_relative(sentence: str, by: float, of: str):
    answer = understand(Grammar(), sentence, KNOWN["churn"])
    assert isinstance(answer, Objective), answer
    assert written(answer)["change"] == {"by": by, "of": of}
