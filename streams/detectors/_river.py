"""River's sequential detectors, fed one series of the champion's outcomes: has it risen for good?

Each looks for a change against the series' own past, whatever the reference says, and forgets the past once it sees one. None
gives a chance, and at River's own settings chance alarms once in 1,000 to 3,600 values; so an alarm of theirs counts as beyond
doubt, and their settings are such that chance reaches it less than once in 100,000 buckets of independent rows. What is usual of
a stream isn't learnt for them: where it has seasons or wanders on its own, they take that for change.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from streams.contracts.summaries import FIXED, LossSummary
from streams.detectors._measures import CENTRES
from streams.detectors.base import BucketView, Floats, Readings, Setup, Signal, Sketch, Stateless, nothing
from streams.statistics.skew import unskewed

MOST_BUCKETS = 10_000
# Fewer outcomes than this say too little of a bucket's mean.
_FEWEST = 30
_MOST_ROWS = 200
_SURE = 12.0


class Sequential(Protocol):
    """What River's detectors have in common. After a change the next value begins anew."""

    @property
    def drift_detected(self) -> bool:
        """Whether the last value made it see a change."""
        ...

    def update(self, x: float) -> object:
        """Take in one value."""
        ...


class Fed(NamedTuple):
    """What one bucket gives: the values that the detector takes, and its mean less the reference's, in the signal's unit."""

    values: Sequence[float]
    mean: float


class Series(Protocol):
    """A series of the outcomes; None as its signal where the bundle has no reference of it."""

    @property
    def signal(self) -> Signal | None:
        """What is followed."""
        ...

    def fed(self, losses: LossSummary) -> Fed:
        """Return what a bucket gives, in order of event time."""
        ...

    def shown(self, mean: float) -> dict[str, float]:
        """Return a mean, less the reference's, for people."""
        ...


class Rise(Stateless):
    """Says that a series has risen, from when a detector sees it until it is over.

    River's detectors don't say where the change was; it is taken to be where the means of buckets since the last one part best.
    The rise is over when the newest buckets are within the floor of what was before it, or of the reference.

    Args:
        series: what is followed.
        detector: one of River's.
        newest: how many buckets since the last change say how high the series is now.
    """

    def __init__(self, series: Series, detector: Sequential, newest: int = 10) -> None:
        self._series, self._detector, self._newest = series, detector, newest
        signal = series.signal
        self.signals: Sequence[Signal] = [signal] if signal is not None else []
        # Means of buckets since the last change; `_before` is the mean before a rise that lasts.
        self._recent: deque[float] = deque(maxlen=MOST_BUCKETS)
        self._before: float | None = None

    def read(self, view: BucketView) -> Readings:
        """Take in one bucket; nothing is said of one with few outcomes."""
        losses = view.losses
        if losses is None or losses.rows < _FEWEST or not self.signals:
            return nothing(len(self.signals))
        self._take(self._series.fed(losses))
        effect = self._now() - self._before if self._before is not None else 0.0
        return Readings(np.array([0.0 if self._before is None else _SURE]), np.ones(1), np.array([effect]))

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the mean before and since the rise."""
        del index, views  # what it remembers reaches further back
        before = self._before if self._before is not None else self._now()
        return Sketch(self._series.shown(before), self._series.shown(self._now()))

    def _take(self, fed: Fed) -> None:
        self._recent.append(fed.mean)
        has_changed = False
        for value in fed.values:
            self._detector.update(value)
            has_changed = has_changed or self._detector.drift_detected
        if has_changed:
            # The detector has begun anew, so only what came since the change is kept.
            before, after = _parted(np.array(self._recent))
            self._recent = deque(after.tolist(), maxlen=MOST_BUCKETS)
            if self._before is None and after.mean() > before.mean():
                self._before = float(before.mean())
        if self._before is not None and self._now() - max(self._before, 0.0) < self.signals[0].floor:
            self._before = None

    def _now(self) -> float:
        newest = list(self._recent)[-self._newest :]
        return sum(newest) / max(len(newest), 1)


class MeanLoss:
    """The bucket's mean loss, in standard errors away from the reference's mean: its deviation is 1 whatever its rows.

    Chance makes a skewed loss high more often than a normal one; that is taken out (`streams/statistics/skew.py`).
    """

    def __init__(self, setup: Setup, method: str) -> None:
        profile, unit = setup.profile, "standard deviations of a row's loss"
        self._mean, self._deviation, self._skewness = profile.loss_mean, profile.loss_std, profile.loss_skew
        signal = Signal("loss_drift", "loss", method, unit, setup.floors.loss_std, 1.0, scale=0.0, rises_only=True)
        self.signal = signal if self._deviation > 0 else None

    def fed(self, losses: LossSummary) -> Fed:
        """Return the one value of a bucket."""
        rise, root = (losses.loss / FIXED / losses.rows - self._mean) / self._deviation, math.sqrt(losses.rows)
        (value,) = unskewed(np.array([rise * root]), np.array([self._skewness / root])).tolist()
        return Fed([value], rise)

    def shown(self, mean: float) -> dict[str, float]:
        """Return the mean loss."""
        return {"mean": self._mean + mean * self._deviation}


class Errors:
    """Wrong answers of a binary model, row by row as 1 and right ones as 0: the label isn't on the threshold's side of the score.

    A bucket says how many there are, not in which order they came. They are spread evenly over its rows, which makes the series
    calmer than the rows were. Of more than 200 rows so many are fed, with the same share of errors: the detectors' chances are of
    rows, and a bucket's shouldn't grow with its traffic. What is left over of an error comes in the next bucket.
    """

    def __init__(self, setup: Setup, method: str) -> None:
        self._is_high = setup.manifest.threshold <= CENTRES
        wrong, rows = self._counted(setup.profile.positives, setup.profile.negatives)
        self._share = wrong / max(rows, 1.0)
        self.usual = (wrong + 1) / (rows + 2)
        """The reference's share of errors, never 0 (Laplace's rule)."""
        floor = setup.floors.share
        signal = Signal("performance", "errors", method, "share of rows", floor, 1.0, scale=0.0, rises_only=True)
        self.signal = signal if rows else None
        self._owed = 0.5

    def fed(self, losses: LossSummary) -> Fed:
        """Return the values of up to 200 rows."""
        wrong, rows = self._counted(losses.positives, losses.negatives)
        share = wrong / max(rows, 1.0)
        passed = self._owed + share * np.arange(min(int(rows), _MOST_ROWS) + 1)
        self._owed = float(passed[-1] % 1)
        return Fed(np.diff(np.floor(passed)).tolist(), share - self._share)

    def shown(self, mean: float) -> dict[str, float]:
        """Return the share of errors."""
        return {"share": self._share + mean}

    def _counted(self, positives: Sequence[int], negatives: Sequence[int]) -> tuple[float, float]:
        """Return wrong answers and rows."""
        if not positives:
            return 0.0, 0.0
        ones, zeros = np.array([positives, negatives], np.float64)
        return float(ones[~self._is_high].sum() + zeros[self._is_high].sum()), float(ones.sum() + zeros.sum())


def _parted(values: Floats) -> tuple[Floats, Floats]:
    """Part a series where its mean changed most likely (least squares); one value alone is before and after."""
    if len(values) < 2:
        return values, values
    sizes = np.arange(1, len(values))
    left = np.cumsum(values)[:-1]
    right = values.sum() - left
    cut = int(np.argmax(left**2 / sizes + right**2 / (len(values) - sizes))) + 1
    return values[:cut], values[cut:]
