"""Losses of slices as signals: is one higher than it was when the model was validated?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams.contracts.bundle import SliceProfile
from streams.contracts.summaries import FIXED, SliceLosses
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, Stateless

_UNIT = "standard deviations of a row's loss"
_NONE = SliceLosses(rows=0, loss=0, loss_squares=0)
# Fewer rows say too little of a slice's usual loss.
_FEWEST_ROWS = 100


class SlicedLosses(Stateless):
    """Follows the mean loss of each slice, however little of the traffic it is.

    Args:
        setup: as of every detector.
        slices: of the bundle's profile.
    """

    def __init__(self, setup: Setup, slices: Sequence[SliceProfile]) -> None:
        self._slices = [one for one in slices if one.rows >= _FEWEST_ROWS and one.loss_std > 0]
        self._mean = np.array([one.loss_mean for one in self._slices])
        self._deviation = np.array([one.loss_std for one in self._slices])
        self.signals: Sequence[Signal] = [_signal(one, setup) for one in self._slices]

    def read(self, view: BucketView) -> Readings:
        """Read the sums of losses by slice."""
        counted = view.losses.slices if view.losses is not None else {}
        found = [counted.get(one.slice.name, _NONE) for one in self._slices]
        rows = np.array([one.rows for one in found], np.float64)
        mean = np.array([one.loss / FIXED for one in found], np.float64) / np.maximum(rows, 1)
        level = np.where(rows > 0, (mean - self._mean) / self._deviation, np.nan)
        return Readings(level, rows, level)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the slice's mean loss."""
        one = self._slices[index]
        found = [view.losses.slices.get(one.slice.name, _NONE) for view in views if view.losses is not None]
        rows = sum(sums.rows for sums in found)
        mean = sum(sums.loss for sums in found) / FIXED / max(rows, 1)
        return Sketch({"mean": one.loss_mean}, {"mean": mean, "rows": float(rows)})


def _signal(one: SliceProfile, setup: Setup) -> Signal:
    name, floor = f"slice {one.slice.name}", setup.floors.loss_std
    return Signal("loss_drift", name, "mean", _UNIT, floor, one.rows, rises_only=True, skewness=one.loss_skew)
