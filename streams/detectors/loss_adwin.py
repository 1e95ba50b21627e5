"""The champion's mean loss per bucket: has it risen for good? Adaptive windowing (ADWIN), River's implementation."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
from river.drift import ADWIN

from streams.contracts.summaries import FIXED
from streams.detectors.base import BucketView, Floats, Readings, Setup, Signal, Sketch, Stateless, nothing

# The chance that ADWIN's bound leaves to a false alarm at each look. The bound is loose: it was never seen to be reached by
# chance.
_DELTA = 0.002
# Buckets are few, so ADWIN looks at each one, and at windows from three buckets on; before ten it says nothing.
_EVERY = 1
_SHORTEST = 3
_GRACE = 10
_MOST = 10_000
_FEWEST = 30
# An alarm of ADWIN's is beyond doubt by itself; no other one is.
_SURE = 12.0


class LossAdwin(Stateless):
    """Feeds ADWIN the bucket's mean loss, in standard errors away from the reference's mean.

    In that unit stationary means have a deviation of about 1 whatever their number of rows; ADWIN's bound assumes values in
    [0, 1], and with its window's own variance in the leading term it stays conservative for such means. ADWIN forgets the old
    level once it sees a change. A rise therefore stays an alarm until the window's mean is back within the floor of the
    level before, or of the reference. Source: Bifet, A. and Gavaldà, R. (2007), "Learning from time-changing data with
    adaptive windowing", SIAM International Conference on Data Mining, 443-448.
    """

    def __init__(self, setup: Setup) -> None:
        self._mean, self._deviation, self._floor = setup.profile.loss_mean, setup.profile.loss_std, setup.floors.loss_std
        unit = "standard deviations of a row's loss"
        rise = Signal("loss_drift", "loss", "ADWIN", unit, self._floor, 1.0, scale=0.0, rises_only=True)
        self.signals: Sequence[Signal] = [rise] if self._deviation > 0 else []
        self._adwin = ADWIN(delta=_DELTA, clock=_EVERY, min_window_length=_SHORTEST, grace_period=_GRACE)
        # Mean losses since the last change, in reference deviations; `_before` is the level before a rise that lasts.
        self._recent: deque[float] = deque(maxlen=_MOST)
        self._before: float | None = None

    def read(self, view: BucketView) -> Readings:
        """Take in one bucket; nothing is said of one with few outcomes."""
        losses = view.losses
        if losses is None or losses.rows < _FEWEST or not self.signals:
            return nothing(len(self.signals))
        rise = (losses.loss / FIXED / losses.rows - self._mean) / self._deviation
        self._update(rise, rise * math.sqrt(losses.rows))
        has_risen = self._before is not None
        effect = self._now() - self._before if self._before is not None else 0.0
        return Readings(np.array([_SURE if has_risen else 0.0]), np.ones(1), np.array([effect]))

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the mean loss before and since the rise."""
        del index, views  # what it remembers reaches further back
        before = self._before if self._before is not None else self._now()
        levels = (self._mean + level * self._deviation for level in (before, self._now()))
        return Sketch(*({"mean": level} for level in levels))

    def _update(self, rise: float, standardised: float) -> None:
        self._recent.append(rise)
        self._adwin.update(standardised)
        if self._adwin.drift_detected:
            # River's ADWIN begins anew after a change, so ours keeps only what came behind it too.
            before, after = _parted(np.array(self._recent))
            self._recent = deque(after.tolist(), maxlen=_MOST)
            if self._before is None and after.mean() > before.mean():
                self._before = float(before.mean())
        if self._before is not None and self._now() - max(self._before, 0.0) < self._floor:
            self._before = None

    def _now(self) -> float:
        return sum(self._recent) / max(len(self._recent), 1)


def _parted(values: Floats) -> tuple[Floats, Floats]:
    """Part a series of at least two where its mean changed most likely (least squares), because ADWIN doesn't say where."""
    sizes = np.arange(1, len(values))
    left = np.cumsum(values)[:-1]
    right = values.sum() - left
    cut = int(np.argmax(left**2 / sizes + right**2 / (len(values) - sizes))) + 1
    return values[:cut], values[cut:]


def open_detector(setup: Setup) -> LossAdwin:
    """Open it."""
    return LossAdwin(setup)
