"""The champion's performance before labels are known: do requests come on which it is usually wrong?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams.contracts.bundle import ScoreOutcomes
from streams.detectors._contrasts import skewness
from streams.detectors._measures import area_parts
from streams.detectors.base import BucketView, Floats, Readings, Setup, Signal, Sketch, Stateless, later_rows, nothing
from streams.statistics.estimates import Estimator

_KIND = "performance_estimate"
_FEWEST_OF_A_LABEL = 10
# A smaller effect of a row is a rounding error of bins that are all alike.
_NOTHING = 1e-9


class PerformanceEstimated(Stateless):
    """Follows the loss and, for binary models, accuracy and the area under the ROC curve that are to be expected of what comes.

    Each row counts with what became of rows of its score's bin: their mean loss, the share of them that the threshold has right,
    and what they add to the area as in `performance_auc`. All are means over rows. See `streams/statistics/estimates.py` for
    what is assumed.
    """

    def __init__(self, setup: Setup) -> None:
        self.signals: list[Signal] = []
        self._parts: list[Floats] = []
        outcomes = setup.profile.outcomes
        if outcomes is None or not sum(outcomes.rows):
            return
        self._estimator = Estimator(outcomes)
        self._before = self._estimator.estimate(self._estimator.rows)
        unit, loss_std = "standard deviations of a row's loss", setup.profile.loss_std
        if loss_std > 0:
            self._follow("loss", "rise", self._estimator.loss, (unit, setup.floors.loss_std, 1 / loss_std), setup)
        if _counts(outcomes).min() >= _FEWEST_OF_A_LABEL:
            self._follow("accuracy", "fall", -self._estimator.right, ("share of rows", setup.floors.share, 1.0), setup)
            self._follow("auc", "fall", -_area_parts(self._estimator), ("AUC", setup.floors.auc, 1.0), setup)

    def _follow(self, watched: str, aspect: str, part: Floats, of: tuple[str, float, float], setup: Setup) -> None:
        """Follow the mean over rows of what each bin counts for; a rise is trouble."""
        unit, floor, scale = of
        shares = self._estimator.rows / self._estimator.rows.sum()
        away = part - (shares * part).sum()
        deviation = float(np.sqrt((shares * away**2).sum()))
        if deviation * scale <= _NOTHING:
            return
        rows, skewed = later_rows(setup.profile), skewness(shares.tolist(), away / deviation)
        self.signals.append(
            Signal(_KIND, watched, aspect, unit, floor, rows, deviation * scale, rises_only=True, skewness=skewed)
        )
        self._parts.append(away / deviation)

    def read(self, view: BucketView) -> Readings:
        """Read the bins of the scores."""
        if view.inputs is None or not self.signals:
            return nothing(len(self.signals))
        bins = np.array(view.inputs.score.bins, np.float64)
        rows = np.full(len(self.signals), bins.sum())
        with np.errstate(invalid="ignore", divide="ignore"):
            level = np.where(rows > 0, np.array(self._parts) @ bins / rows, np.nan)
        return Readings(level, rows, level * [signal.scale for signal in self.signals])

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show all that is estimated of the stretch."""
        del index  # whoever is woken wants to see both
        bins = np.sum([view.inputs.score.bins for view in views if view.inputs is not None], axis=0)
        sketches = []
        for one in (self._before, self._estimator.estimate(np.atleast_1d(bins)) if np.ndim(bins) else None):
            known = one._asdict() if one is not None else {}
            sketches.append({f"estimated_{name}": value for name, value in known.items() if value is not None})
        return Sketch(*sketches)


def _counts(outcomes: ScoreOutcomes) -> Floats:
    """Positives and negatives of the reference; none for regression."""
    positives = float(sum(outcomes.positives))
    return np.array([positives, sum(outcomes.rows) - positives]) if outcomes.positives else np.zeros(2)


def _area_parts(estimator: Estimator) -> Floats:
    """What a row of each bin adds to the area on average over both labels [bins]."""
    chance = estimator.chance
    parts = area_parts(estimator.rows * chance, estimator.rows * (1 - chance))
    both: Floats = chance * parts.of_positives + (1 - chance) * parts.of_negatives
    return both


def open_detector(setup: Setup) -> PerformanceEstimated:
    """Open it."""
    return PerformanceEstimated(setup)
