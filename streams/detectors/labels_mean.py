"""The labels themselves: are positives more or less frequent, or targets larger or smaller, than in the reference?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from streams.contracts.summaries import FIXED, LossSummary
from streams.detectors._contrasts import share_level
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, Stateless, nothing

_KIND, _WATCHED = "label_drift", "label"


class PositiveShare(Stateless):
    """Follows the share of positive labels. What becomes rarer or more frequent needn't make any loss larger.

    Scores of a model that goes on as it did are then off by the same odds everywhere. Source: Saerens, M., Latinne, P. and
    Decaestecker, C. (2002), "Adjusting the outputs of a classifier to new a priori probabilities: a simple procedure", Neural
    Computation 14, 21-41.
    """

    def __init__(self, setup: Setup) -> None:
        self._share = setup.profile.label_mean
        floor, rows = setup.floors.share, setup.profile.rows
        signal = Signal(_KIND, _WATCHED, "share of positives", "share of rows", floor, rows, share=self._share)
        self.signals: Sequence[Signal] = [signal]

    def read(self, view: BucketView) -> Readings:
        """Count the labels."""
        if view.losses is None:
            return nothing(1)
        hits, rows = (np.array([count], np.float64) for count in _counted(view.losses))
        effect = np.where(rows > 0, hits / np.maximum(rows, 1) - self._share, np.nan)
        return Readings(share_level(hits, rows, np.array([self._share])), rows, effect)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the share of positives."""
        del index  # there is one share
        found = [_counted(view.losses) for view in views if view.losses is not None]
        hits, rows = (sum(counts[part] for counts in found) for part in (0, 1))
        return Sketch({"share": self._share}, {"share": hits / max(rows, 1), "rows": float(rows)})


class MeanLabel(Stateless):
    """Follows the mean of a regression's labels, in standard deviations of a label in the reference."""

    def __init__(self, setup: Setup) -> None:
        profile, floor = setup.profile, setup.floors.deviations
        self._mean, self._deviation = profile.label_mean, profile.label_std
        unit = "standard deviations of a label"
        signal = Signal(_KIND, _WATCHED, "mean", unit, floor, profile.rows, skewness=profile.label_skew)
        self.signals: Sequence[Signal] = [signal] if self._deviation > 0 else []

    def read(self, view: BucketView) -> Readings:
        """Read the sum of the labels."""
        losses = view.losses
        if losses is None or losses.labels is None or not losses.rows or not self.signals:
            return nothing(len(self.signals))
        level = np.array([(losses.labels / FIXED / losses.rows - self._mean) / self._deviation])
        return Readings(level, np.array([float(losses.rows)]), level)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show mean and deviation of the labels."""
        del index  # there is one mean
        found = [view.losses for view in views if view.losses is not None and view.losses.labels is not None]
        rows = sum(losses.rows for losses in found)
        mean, square = (total / FIXED / max(rows, 1) for total in _totals(found))
        deviation = math.sqrt(max(square - mean**2, 0.0))
        before = {"mean": self._mean, "deviation": self._deviation}
        return Sketch(before, {"mean": mean, "deviation": deviation, "rows": float(rows)})


def _counted(losses: LossSummary) -> tuple[int, int]:
    """Return the positives, and all rows."""
    positives = sum(losses.positives)
    return positives, positives + sum(losses.negatives)


def _totals(found: Sequence[LossSummary]) -> tuple[int, int]:
    """Return the sums of labels and of their squares, in fixed point."""
    return sum(losses.labels or 0 for losses in found), sum(losses.label_squares or 0 for losses in found)


def open_detector(setup: Setup) -> PositiveShare | MeanLabel:
    """Open it."""
    return PositiveShare(setup) if setup.manifest.schema.task == "binary" else MeanLabel(setup)
