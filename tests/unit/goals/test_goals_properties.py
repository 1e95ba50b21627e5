"""What holds of any sentence and any objective."""

from __future__ import annotations

import datetime as dt
import sys
from itertools import permutations
from typing import Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.goals.base import NotUnderstood, checked, understand
from daemon.goals.checks import MOST_FINDINGS
from daemon.goals.grammar import Grammar
from daemon.goals.merging import all_of
from daemon.goals.metrics import METRICS, Metric
from daemon.goals.objective import Change, Cost, Objective, Period, read, written, yaml_text
from daemon.goals.telling import phrase, tell
from daemon.goals.tokens import MOST_CHARACTERS
from streams.contracts.slices import Condition
from tests.kit.sayings import TODAY, Saying, answer_to, meant, sayings, vocabularies

KNOWN = vocabularies()
WORDS = sorted({word for saying in sayings("paraphrases.yaml", "compiled") for word in saying.say.split()})
KINDS: tuple[Literal["points", "relative"], ...] = ("points", "relative")
BINARY = [metric for metric in METRICS.values() if "binary" in metric.tasks]

shares = st.integers(11, 989).map(lambda thousandths: thousandths / 1_000)
spans = st.builds(lambda count, unit: f"1 {unit}" if count == 1 else f"{count} {unit}s", st.integers(1, 400), st.sampled_from(
    ["day", "week", "month", "quarter", "year"]
))  # fmt: skip
days = st.dates(TODAY, dt.date(2099, 12, 31))
periods = st.tuples(days, days).map(lambda ends: Period(first=min(ends), last=max(ends)))
numbers = st.integers(-500, 5_000).map(lambda tenths: tenths / 10)


@st.composite
def cohorts(draw: st.DrawFn) -> tuple[Condition, ...]:
    region = st.lists(st.text("abcdefgh_ -é'.", min_size=1, max_size=8), min_size=1, max_size=3, unique=True)
    parts = [Condition(column="region", values=tuple(sorted(draw(region))))]
    plans = draw(st.lists(st.sampled_from(["basic", "premium", "enterprise"]), min_size=1, max_size=3, unique=True))
    parts.append(Condition(column="plan", values=tuple(sorted(plans))))
    low, high = sorted((draw(numbers), draw(numbers)))
    parts.append(Condition(column="tenure", low=low, high=round(high + 1, 1)))
    parts.append(Condition(column="age", low=draw(numbers)))
    parts.append(Condition(column="order_value", high=draw(numbers)))
    chosen = draw(st.lists(st.sampled_from(parts), max_size=4, unique_by=lambda one: one.column))
    return all_of(chosen) or ()


@st.composite
def costs(draw: st.DrawFn) -> Cost | None:
    amounts = st.none() | st.integers(1, 90_000).map(lambda cents: cents / 100)
    money, training, gpu = draw(amounts), draw(amounts), draw(amounts)
    if money is training is gpu is None:
        return None
    currency = draw(st.sampled_from(["EUR", "USD", "GBP", "CHF"])) if money is not None else None
    per = draw(st.sampled_from([None, "retraining", "day", "week", "month", "quarter", "year"]))
    return Cost(money=money, currency=currency, training_minutes=training, gpu_minutes=gpu, per=per)  # type: ignore[arg-type]


def values(metric: Metric) -> st.SearchStrategy[float]:
    return shares if metric.counted == "share" else st.integers(1, 4_000).map(lambda tenths: tenths / 10)


@st.composite
def objectives(draw: st.DrawFn) -> Objective:
    metric, aim = draw(st.sampled_from(BINARY)), draw(st.sampled_from(["hold", "improve", "predict"]))
    bounds: dict[str, float] = {}
    change = None
    if aim == "hold" and draw(st.booleans()):
        change = Change(by=draw(shares), of=draw(st.sampled_from(KINDS)) if metric.counted == "share" else "relative")
    elif aim in {"hold", "predict"}:
        bounds = {"floor" if metric.better == "higher" else "ceiling": draw(values(metric))}
    elif draw(st.booleans()):
        change = Change(by=draw(shares), of=draw(st.sampled_from(KINDS)) if metric.counted == "share" else "relative")
    return Objective(
        model="churn", aim=aim, metric=metric.name, direction=metric.better, change=change, cohort=draw(cohorts()),
        target="churned" if aim == "predict" else None, over=None if aim == "predict" else draw(st.none() | spans),
        horizon=draw(st.none() | periods | spans if aim == "predict" else st.none() | periods), cost=draw(costs()), **bounds,
    )  # type: ignore[arg-type]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=600))
def test_no_text_raises(text: str):
    understand(Grammar(), text, KNOWN["churn"])


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join), st.sampled_from(["churn", "delivery"]))
def test_no_mixture_of_known_words_raises_and_what_is_compiled_passes_its_checks(text: str, model: str):
    answer = understand(Grammar(), text, KNOWN[model])
    if not isinstance(answer, NotUnderstood):
        assert checked(answer, KNOWN[model]) == answer
        assert understand(Grammar(), phrase(answer), KNOWN[model]) == answer


SPOKEN = [saying for file in ("paraphrases.yaml", "classes.yaml", "voices.yaml") for saying in sayings(file, "compiled")]
TURNS = (
    "except", "unless", "roughly", "approximately", "usually", "excluding", "instead of", "rather than", "other than",
    "apart from", "nearly", "neither", "non", "hardly ever", "half of", "twice", "sometimes",
)  # fmt: skip
"""Words that never leave a goal as it is, wherever they stand; a forecast may be one about something."""


@settings(max_examples=800, deadline=None)
@given(st.sampled_from(SPOKEN), st.sampled_from(TURNS), st.floats(0, 1))
def test_a_word_that_changes_what_is_meant_is_never_passed_over(saying: Saying, word: str, place: float):
    words = saying.say.split()
    at = round(place * len(words))
    said = " ".join([*words[:at], word, *words[at:]])
    answer = answer_to(saying._replace(say=said), KNOWN)
    assert isinstance(answer, NotUnderstood) or written(answer) != meant(saying)


PIECES = (
    "for premium and ", "at ", "must not ", "the ", "in the ", "FR and ", "FR, ", "because of ", "( ", "as long as ", '" ', "' ",
    "under ", "recall ", "one hundred and ", "9 out of ", "next ", "from ", "spend ", "who will ", "[", "- ", "aged 18 but ",
    "i.e. ", "Germany (", "never ", "a model that ", "by no ", "1 ", "%", "€", "x", "for audit ", "is to be ", "new FR ", "new ",
    "catch 80 % of ", "how late ", "our new team ", "from a risk ", "know in advance ", "Germany and ", "churn warnings ",
    "a half of ", "be right ", "until the end of ", "w/o ", "for them ", "two of ", "be told who ",
)  # fmt: skip
MOST_CALLS = 600 * MOST_CHARACTERS


def calls_for(text: str) -> int:
    """How many functions are called to read a text: work that no other load of the machine changes."""
    count = 0

    def seen(_frame: object, event: str, _what: object) -> None:
        nonlocal count
        count += event == "call"

    grammar, known = Grammar(), KNOWN["churn"]
    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        grammar.compile(text, known)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("piece", PIECES)
def test_the_work_grows_no_faster_than_the_sentence(piece: str):
    nothing = calls_for("")
    short, long = (calls_for((piece * 500)[:length]) - nothing for length in (MOST_CHARACTERS // 2, MOST_CHARACTERS))
    assert long <= 2.5 * short + 2_000
    assert long <= MOST_CALLS


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6))
def test_no_mixture_takes_long_and_what_is_said_of_it_is_short(pieces: list[str]):
    text = ("".join(pieces) * 500)[:MOST_CHARACTERS]
    assert calls_for(text) <= MOST_CALLS
    answer = understand(Grammar(), text, KNOWN["churn"])
    assert isinstance(answer, Objective) or len(answer.findings) <= MOST_FINDINGS
    assert isinstance(answer, Objective) or sum(len(finding.text) for finding in answer.findings) < 10_000


@settings(max_examples=300, deadline=None)
@given(objectives())
def test_an_objective_is_what_its_yaml_and_its_phrase_say(objective: Objective):
    canonical = checked(objective, KNOWN["churn"])
    assert isinstance(canonical, Objective), canonical
    assert read(yaml.safe_load(yaml_text(canonical))) == canonical
    assert read(written(canonical)).digest == canonical.digest
    again = understand(Grammar(), phrase(canonical), KNOWN["churn"])
    assert again == canonical, phrase(canonical)
    assert tell(canonical).count(". ") >= 2


@settings(max_examples=100, deadline=None)
@given(objectives(), objectives())
def test_two_objectives_have_two_digests(one: Objective, other: Objective):
    assert (one.digest == other.digest) == (written(one) == written(other))


CLAUSES = (
    (
        "keep recall at least 80 %",
        "for FR and DE",
        "over any 7 days",
        "until the end of March 2027",
        "spend at most 50 EUR a month",
    ),
    ("improve precision", "by 3 points", "for new customers", "next quarter", "with at most 30 minutes of training"),
    ("predict churn", "within 30 days", "for premium customers", "recall at least 70 %"),
)


@pytest.mark.parametrize("clauses", CLAUSES)
def test_the_order_of_clauses_changes_nothing(clauses: tuple[str, ...]):
    meant = {
        answer.digest if isinstance(answer, Objective) else str(answer)
        for order in permutations(clauses)
        for answer in (understand(Grammar(), ", ".join(order), KNOWN["churn"]),)
    }
    assert len(meant) == 1, meant
    assert len(meant.pop()) == 64
