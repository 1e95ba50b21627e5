"""Which metric is named."""

from __future__ import annotations

from typing import Final

from daemon.goals.metrics import AMBIGUOUS, METRICS, UNKNOWN
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
_SHARES: Final = {"50": "latency_p50", "95": "latency_p95", "99": "latency_p99"}
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
    share = reading.token(at)
    if share is None or share.kind != "number" or share.raw not in _SHARES or not reading.is_one_of(at + 1, {"%", "percent"}):
        return None
    noun = reading.skip(at + 2, {"of", "all", "the", "our"})
    verb = reading.skip(noun + 1, _TO_BE) if reading.is_one_of(noun, _ANSWERS) else noun
    return Found(verb + 1, MetricPart(METRICS[_SHARES[share.raw]])) if reading.is_one_of(verb, _ANSWERED) else None
