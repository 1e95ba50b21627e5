"""Losses of slices as signals: is one higher than it was when the model was validated?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams.contracts.bundle import Profile, SliceProfile
from streams.contracts.summaries import FIXED, SliceLosses
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, Stateless

_UNIT = "standard deviations of a row's loss"
_NONE = SliceLosses(rows=0, loss=0, loss_squares=0)
# Fewer rows say too little of a slice's usual loss.
_FEWEST_ROWS = 100
# So far a slice's mean loss must have risen, in its standard errors, to be named as one that carries a rise.
_NAMED = 3.0
_MOST_NAMED = 3


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


def carriers(profile: Profile, views: Sequence[BucketView]) -> Sketch:
    """Show which slices carry a rise of the mean loss: how large theirs was and is, and what part of the whole rise is theirs.

    At most three are named, those with the largest parts. Slices overlap, so parts needn't add up to 1; one that got better while
    others got worse can leave more than 1 to them.
    """
    found = [view.losses for view in views if view.losses is not None]
    rise = sum(losses.loss / FIXED - losses.rows * profile.loss_mean for losses in found)
    parts: dict[str, float] = {}
    means: dict[str, tuple[float, float]] = {}
    for one in profile.slices:
        sums = [losses.slices[one.slice.name] for losses in found if one.slice.name in losses.slices]
        rows, loss = sum(part.rows for part in sums), sum(part.loss for part in sums) / FIXED
        own = loss - rows * one.loss_mean
        if rise > 0 and rows and own > _NAMED * one.loss_std * np.sqrt(rows + rows**2 / max(one.rows, 1)):
            parts[one.slice.name] = own / rise
            means[one.slice.name] = one.loss_mean, loss / rows
    before, after = {}, {}
    for name in sorted(parts, key=lambda one: (-parts[one], one))[:_MOST_NAMED]:
        before[f"mean of {name}"], after[f"mean of {name}"] = means[name]
        after[f"part of the rise in {name}"] = parts[name]
    return Sketch(before, after)


def _signal(one: SliceProfile, setup: Setup) -> Signal:
    name, floor = f"slice {one.slice.name}", setup.floors.loss_std
    return Signal("loss_drift", name, "mean", _UNIT, floor, one.rows, rises_only=True, skewness=one.loss_skew)
