"""The champion's ranking: is the area under its ROC curve smaller than on the rows that it was validated on? Binary models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams.detectors._measures import area_parts, auc
from streams.detectors._sliced import carriers
from streams.detectors.base import BucketView, Floats, Readings, Setup, Signal, Sketch, Stateless, nothing

_FEWEST_OF_A_LABEL = 10


class PerformanceAuc(Stateless):
    """Follows what each row adds to the area (`area_parts`), as the reference has rows of the other label.

    The mean of it is, to the first order, by how much the area differs; it is a sum over rows, so that buckets with a single
    positive count too.
    """

    def __init__(self, setup: Setup) -> None:
        self._profile = setup.profile
        positives, negatives = (np.array(counts, np.float64) for counts in (setup.profile.positives, setup.profile.negatives))
        self.signals: Sequence[Signal] = []
        ones, zeros = positives.sum(), negatives.sum()
        if min(ones, zeros) < _FEWEST_OF_A_LABEL:
            return
        self._area, *parts = area_parts(positives, negatives)
        moments = [float((positives * parts[0] ** k + negatives * parts[1] ** k).sum() / (ones + zeros)) for k in (2, 3)]
        deviation = float(np.sqrt(moments[0]))
        if not deviation:
            return
        # A fall of the area is a rise of the signal.
        self._of_positives, self._of_negatives = (-part / deviation for part in parts)
        floor, skewness = setup.floors.auc, moments[1] / deviation**3
        self.signals = [
            Signal("performance", "auc", "fall", "AUC", floor, ones + zeros, deviation, rises_only=True, skewness=skewness)
        ]

    def read(self, view: BucketView) -> Readings:
        """Read the histograms of scores by label."""
        if view.losses is None or not view.losses.positives or not self.signals:
            return nothing(len(self.signals))
        positives, negatives = _counts(view.losses.positives), _counts(view.losses.negatives)
        rows = np.array([positives.sum() + negatives.sum()])
        total = (positives * self._of_positives).sum() + (negatives * self._of_negatives).sum()
        level = np.where(rows > 0, total / np.maximum(rows, 1), np.nan)
        return Readings(level, rows, level * self.signals[0].scale)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the area over the stretch as it is, with its standard error, and the slices that carry a rise of the loss."""
        del index  # there is one area
        found = [view.losses for view in views if view.losses is not None]
        if not found:
            return Sketch({"auc": self._area}, {})
        now = auc(np.sum([one.positives for one in found], axis=0), np.sum([one.negatives for one in found], axis=0))
        rows = float(sum(one.rows for one in found))
        measured = {"auc": now.value, "standard_error": now.error} if now is not None else {}
        carried = carriers(self._profile, views)
        return Sketch({"auc": self._area} | carried.before, measured | {"rows": rows} | carried.after)


def _counts(histogram: Sequence[int]) -> Floats:
    return np.asarray(histogram, np.float64)


def open_detector(setup: Setup) -> PerformanceAuc:
    """Open it."""
    return PerformanceAuc(setup)
