"""Which metric is named."""

from __future__ import annotations

from typing import Final

from daemon.goals.metrics import AMBIGUOUS, METRICS, UNKNOWN
from daemon.goals.numbers import number_at, share_at
from daemon.goals.parts import MetricPart, Part, Trouble
from daemon.goals.patterns import spelled
from daemon.goals.reading import Found, Lexicon, Reading, listed
from daemon.goals.words import ARTICLES

METRIC_WORDS: Final = Lexicon[Part]({
    **{said: MetricPart(metric) for metric in METRICS.values() for said in (metric.name, *spelled(*metric.said))},
    **{said: Trouble("ambiguous_metric", f"{said}: {what}") for pattern, what in AMBIGUOUS.items() for said in spelled(pattern)},
    **{said: Trouble("unknown_metric", f"{said}: goals don't know this metric; say one that the form names")
       for said in spelled(*UNKNOWN)},
})  # fmt: skip
_SCORES: Final = frozenset({"score", "scores", "value", "values", "metric"})
_OF: Final = frozenset({"in", "of", "on", "for", "to", "off", "from"})
_OWNERS: Final = listed(
    "overall", "(the|our|its) [current|production] (champion|model|classifier|system) 's",
)  # fmt: skip
_SHARES: Final = {50: "latency_p50", 95: "latency_p95", 99: "latency_p99"}
_LEAST: Final = listed("at [the very] least", "a minimum of")
_ANSWERS: Final = frozenset({"requests", "predictions", "calls", "responses", "answers", "scores"})
_TO_BE: Final = frozenset({"must", "should", "shall", "have", "need", "are", "to", "be"})
_ANSWERED: Final = frozenset({
    "answered", "served", "scored", "returned", "handled", "processed", "completed", "delivered", "done", "finished",
})  # fmt: skip


def read_metric(reading: Reading, at: int) -> Found[Part] | None:
    """Read which metric."""
    if answered := _answered_at(reading, at):
        return answered
    place = reading.skip(at, _OF | ARTICLES | {"our", "'s"}) if reading.is_one_of(at, _OF) else at
    owner = _OWNERS.at(reading, place)
    place = owner.end if owner else place
    found = METRIC_WORDS.at(reading, place)
    return None if found is None else Found(reading.skip(found.end, _SCORES), found.value)


def is_metric_before(reading: Reading, at: int) -> bool:
    """Whether a metric ends right before a place."""
    return any(METRIC_WORDS.knows(tuple(token.text for token in reading.tokens[max(0, at - most) : at])) for most in (1, 2, 3))


def _answered_at(reading: Reading, at: int) -> Found[Part] | None:
    """Read `99 % of requests must be answered`, which the 99th percentile of the latency is about."""
    place = _LEAST.past(reading, at)
    number, half = number_at(reading, place), share_at(reading, place)
    end = half.end if half else number.end + 1 if number and reading.is_one_of(number.end, {"%", "percent"}) else None
    value = half.value if half else number.value.value if number else None
    if end is None or value not in _SHARES:
        return None
    noun = reading.skip(end, {"of", "all", "the", "our", "scoring"})
    verb = reading.skip(noun + 1, _TO_BE) if reading.is_one_of(noun, _ANSWERS) else noun
    return Found(verb + 1, MetricPart(METRICS[_SHARES[int(value)]])) if reading.is_one_of(verb, _ANSWERED) else None
