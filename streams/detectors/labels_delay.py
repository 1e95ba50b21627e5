"""How long labels take: later than is usual at that hour of the week. Labels that don't come at all aren't seen here."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from streams.contracts.summaries import LossSummary
from streams.detectors._learnt import usual_level
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, Stateless, nothing

KIND = "labels_delay"
_POWERS_OF_TWO = 1 / math.log(2)
_HOUR_MS = 3_600_000.0


class LabelsDelay(Stateless):
    """Follows the logarithm of the mean time from a request to its known label, over the labels that became known in a bucket.

    The logarithm of a mean of exponential times has a variance of 1 / rows and leans to the left by the root of 1 / rows,
    whatever the mean; times that vary by more have unrest, of times that vary by less a rise is found later than it could be. No
    reference holds how long labels take, so nothing is said before that was learnt. Only a rise is news: the first labels of a
    bundle that has just taken over are the fast ones, as the slow ones have not had the time to come. Labels that take no time,
    as where a request and its label have the same one, have no delay to follow. Source: Bartlett, M. S. and Kendall, D. G.
    (1946), "The statistical analysis of variance-heterogeneity and the logarithmic transformation", Supplement to the Journal of
    the Royal Statistical Society 8, 128-138.
    """

    def __init__(self, setup: Setup) -> None:
        self._normal = setup.profile.normal
        self.signals: Sequence[Signal] = [
            Signal(
                "data_quality",
                "labels",
                "delay",
                "powers of two",
                setup.floors.delay,
                0.0,
                scale=_POWERS_OF_TWO,
                rises_only=True,
                skewness=-1.0,
            )
        ]

    def read(self, view: BucketView) -> Readings:
        """Read the mean delay."""
        if view.losses is None or not _is_told(view.losses):
            return nothing(1)
        level = np.array([math.log(view.losses.delay_ms / view.losses.rows)])
        return Readings(level, np.array([float(view.losses.rows)]), level * _POWERS_OF_TWO)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show how many hours labels took, and how many are usual at that time."""
        del index  # there is one
        found = [(view.start_ms, view.losses) for view in views if view.losses is not None and _is_told(view.losses)]
        rows = sum(losses.rows for _, losses in found)
        name = self.signals[0].name
        expected = [level for start_ms, _ in found if (level := usual_level(self._normal, KIND, name, start_ms)) is not None]
        before = {"hours": math.exp(float(np.mean(expected))) / _HOUR_MS} if expected else {}
        hours = sum(losses.delay_ms for _, losses in found) / max(rows, 1) / _HOUR_MS
        return Sketch(before, {"hours": hours, "rows": float(rows)})


def _is_told(losses: LossSummary) -> bool:
    return losses.rows > 0 and losses.delay_ms > 0


def open_detector(setup: Setup) -> LabelsDelay:
    """Open it."""
    return LabelsDelay(setup)
