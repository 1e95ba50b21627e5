"""The champion's mean loss per bucket: has it risen for good? Adaptive windowing (ADWIN), River's implementation."""

from __future__ import annotations

import math
from collections import deque

from river.drift import ADWIN

from streams.contracts.summaries import FIXED
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
        # Mean losses (in reference deviations), in step with ADWIN's window of standardised ones.
        self._recent: deque[float] = deque(maxlen=_MOST)
        self._before: float | None = None

    def look(self, view: BucketView) -> list[Finding]:
        """Take in one bucket; a verdict only when it has outcomes enough."""
        losses, profile = view.losses, view.profile
        if losses is None or losses.rows < self._setup.min_rows or not profile.loss_std > 0:
            return []
        rise = (losses.loss / FIXED / losses.rows - profile.loss_mean) / profile.loss_std
        self._update(rise, rise * math.sqrt(losses.rows))
        now = sum(self._recent) / len(self._recent)
        return [self._finding(now, profile.loss_mean, profile.loss_std)]

    def close(self) -> None:
        """Forget everything."""
        self._recent.clear()

    def _update(self, rise: float, standardised: float) -> None:
        before = sum(self._recent) / len(self._recent) if self._recent else rise
        self._recent.append(rise)
        self._adwin.update(standardised)
        while len(self._recent) > self._adwin.width:
            self._recent.popleft()
        now = sum(self._recent) / len(self._recent)
        if self._adwin.drift_detected and now > before and self._before is None:
            self._before = before
        if self._before is not None and now - max(self._before, 0.0) < self._setup.floors.loss_std:
            self._before = None

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


def open_detector(setup: Setup) -> LossAdwin:
    """Open it."""
    return LossAdwin(setup)
