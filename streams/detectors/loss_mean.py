"""The champion's loss: is it higher than on the rows that it was validated on?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams.contracts.summaries import FIXED
from streams.detectors._sliced import carriers
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, Stateless, later_rows, nothing


class LossMean(Stateless):
    """Follows the mean loss of the outcomes that became known, log loss or squared error."""

    def __init__(self, setup: Setup) -> None:
        self._profile = setup.profile
        self._mean, self._deviation = setup.profile.loss_mean, setup.profile.loss_std
        unit = "standard deviations of a row's loss"
        rows, skewness = later_rows(setup.profile), setup.profile.loss_skew
        loss = Signal("loss_drift", "loss", "mean", unit, setup.floors.loss_std, rows, rises_only=True, skewness=skewness)
        self.signals: Sequence[Signal] = [loss] if self._deviation > 0 else []

    def read(self, view: BucketView) -> Readings:
        """Read the sum of losses."""
        if view.losses is None or not self.signals:
            return nothing(len(self.signals))
        rows = np.array([view.losses.rows], np.float64)
        level = (view.losses.loss / FIXED / np.maximum(rows, 1) - self._mean) / self._deviation
        level = np.where(rows > 0, level, np.nan)
        return Readings(level, rows, level)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the mean loss, and the slices that carry its rise."""
        del index  # there is one loss
        found = [view.losses for view in views if view.losses is not None]
        rows = sum(losses.rows for losses in found)
        mean = sum(losses.loss for losses in found) / FIXED / max(rows, 1)
        carried = carriers(self._profile, views)
        return Sketch({"mean": self._mean} | carried.before, {"mean": mean, "rows": float(rows)} | carried.after)


def open_detector(setup: Setup) -> LossMean:
    """Open it."""
    return LossMean(setup)
