"""What confirmed events tell a diagnosis of, and how surely of something real."""

from __future__ import annotations

from collections.abc import Iterable

from streams.contracts.events import DriftEvent

OF_INPUTS = frozenset({"data_quality", "values", "feature_drift", "score_drift", "performance_estimate"})
HARM = frozenset({"loss_drift", "performance"})
"""What says that a model does worse than it did."""

CHANGES_A_MONTH = 0.5
"""How often something real begins to change before anything is known of it: once in two months."""

_MONTH_MS = 30 * 86_400_000
_OF_LABELS = ("labels_coverage", "labels_delay")
# What detectors speak of where their events' kind tells of another cause: labels that come late or never are no broken inputs,
# what can't be decoded is no bug of serving, and how many values are missing or strange is measured here.
_SPOKEN_OF = {"inputs_quality": "values", "requests_rejected": "data_quality", **dict.fromkeys(_OF_LABELS, "labels")}


def spoken_of(event: DriftEvent) -> str:
    """Return what an event speaks of: its kind, or `labels` or `values`."""
    return _SPOKEN_OF.get(event.detector, event.kind)


def told_by(events: Iterable[DriftEvent]) -> dict[str, float]:
    """Return what confirmed events speak of, each with the probability that the surest of them tells of something real."""
    told: dict[str, float] = {}
    for event in events:
        if event.transition == "confirmed":
            told[spoken_of(event)] = max(told.get(spoken_of(event), 0.0), credence(event))
    return told


def credence(event: DriftEvent) -> float:
    """Return the probability that an event tells of something real; 1 where it doesn't say how improbable it is.

    By Bayes' rule of two Poisson processes: of so improbable alarms chance raises as many a month as the p-value of a bucket
    times a month's buckets, and what is real raises `CHANGES_A_MONTH`. At the threshold of two false alarms a month, four alarms
    of five are chance.
    """
    if not event.evidence:
        return 1.0
    buckets = _MONTH_MS / max(event.bucket_end_ms - event.bucket_start_ms, 1)
    by_chance = min(one.p_value for one in event.evidence) * buckets
    return CHANGES_A_MONTH / (CHANGES_A_MONTH + by_chance)
