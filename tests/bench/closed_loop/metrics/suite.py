"""What is judged over all scenarios together."""

from __future__ import annotations

from collections.abc import Mapping


def retrain_share(ours: Mapping[str, int], daily: Mapping[str, int]) -> float | None:
    """Return our retrains over the daily policy's, both summed over the scenarios that both ran; None when it has none."""
    both = ours.keys() & daily.keys()
    total = sum(daily[scenario] for scenario in both)
    return sum(ours[scenario] for scenario in both) / total if total else None


def worst_shortfall(ours: Mapping[str, float | None], weekly: Mapping[str, float | None]) -> float | None:
    """Return how far our live quality is below the weekly policy's where it is furthest below; below 0: nowhere.

    Scenarios where either has no value are left out; None when none is left.
    """
    pairs = ((ours[scenario], weekly[scenario]) for scenario in ours.keys() & weekly.keys())
    return max((theirs - mine for mine, theirs in pairs if mine is not None and theirs is not None), default=None)
