"""The champion's mean loss per bucket: has it risen for good? Adaptive windowing (ADWIN), River's implementation."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from river.drift import ADWIN

from streams.contracts.summaries import FIXED
from streams.detectors._samples import Floats
from streams.detectors.base import BucketView, Finding, Setup

KINDS = ("loss_drift",)
LEVELLED = True

# Buckets are few, so ADWIN looks at each one, and at windows from three buckets on; before ten it says nothing.
_EVERY = 1
_SHORTEST = 3
_GRACE = 10
_MOST = 10_000


class LossAdwin:
    """Feeds ADWIN the bucket's mean loss, in standard errors away from the reference's mean.

    In that unit stationary means have a deviation of about 1 whatever their number of rows; ADWIN's bound assumes values in
    [0, 1], and with its window's own variance in the leading term it stays conservative for such means. ADWIN forgets the old
    level once it sees a change. A rise therefore stays an alarm until the window's mean is back within the floor of the
    level before, or of the reference. Source: Bifet, A. and Gavaldà, R. (2007), "Learning from time-changing data with
    adaptive windowing", SIAM International Conference on Data Mining, 443-448.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._adwin = ADWIN(delta=setup.level, clock=_EVERY, min_window_length=_SHORTEST, grace_period=_GRACE)
        # Mean losses since the last change, in reference deviations; `_before` is the level before a rise that lasts.
        self._recent: deque[float] = deque(maxlen=_MOST)
        self._before: float | None = None

    def look(self, view: BucketView) -> list[Finding]:
        """Take in one bucket; a verdict only when it has outcomes enough."""
        losses, profile = view.losses, view.profile
        if losses is None or losses.rows < self._setup.min_rows or not profile.loss_std > 0:
            return []
        rise = (losses.loss / FIXED / losses.rows - profile.loss_mean) / profile.loss_std
        self._update(rise, rise * math.sqrt(losses.rows))
        return [self._finding(self._now(), profile.loss_mean, profile.loss_std)]

    def close(self) -> None:
        """Forget everything."""
        self._recent.clear()

    def _update(self, rise: float, standardised: float) -> None:
        self._recent.append(rise)
        self._adwin.update(standardised)
        if self._adwin.drift_detected:
            # River's ADWIN begins anew after a change, so ours keeps only what came behind it too.
            before, after = _parted(np.array(self._recent))
            self._recent = deque(after.tolist(), maxlen=_MOST)
            if self._before is None and after.mean() > before.mean():
                self._before = float(before.mean())
        if self._before is not None and self._now() - max(self._before, 0.0) < self._setup.floors.loss_std:
            self._before = None

    def _now(self) -> float:
        return sum(self._recent) / len(self._recent)

    def _finding(self, now: float, loss_mean: float, loss_std: float) -> Finding:
        before = self._before if self._before is not None else now
        return Finding(
            kind=KINDS[0],
            watched="loss",
            method="ADWIN",
            p_value=self._setup.level if self._before is not None else 1.0,
            effect=now - before,
            floor=self._setup.floors.loss_std,
            effect_unit="reference standard deviations of a row's loss",
            before={"mean": loss_mean + before * loss_std},
            after={"mean": loss_mean + now * loss_std, "buckets": float(len(self._recent))},
            level=self._setup.level,
        )


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
