"""The champion's calibration: is a score still the probability, or the value, that it was when the model was validated?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special

from streams.contracts.summaries import FIXED, SCORE_BINS, LossSummary
from streams.detectors._measures import CENTRES
from streams.detectors.base import BucketView, Floats, Readings, Setup, Signal, Sketch, Stateless, later_rows, nothing

_KIND, _WATCHED = "performance", "calibration"
_FEWEST_OF_A_LABEL = 10
# A smaller deviation of a row is a rounding error of scores that are all alike.
_NOTHING = 1e-9
_GROUPS = 10


class ProbabilityCalibration(Stateless):
    """Follows label less score of a binary model, each score the middle of its bin, against the reference's own mean.

    In the large it is whether scores are too low (a rise) or too high altogether. In the slope each row counts by where its score
    lies among the others, in standard deviations of their log odds: whether high scores are too low and low ones too high (a
    rise: scores are too timid) or the other way round (too bold). The effect is by how much the share of positives is off, and
    by how much it is one such deviation away from the middle. They are the score statistics of intercept and slope of a
    regression of labels on log odds of the scores, made orthogonal where scores are calibrated. Sources: Cox, D. R. (1958), "Two
    further applications of a model for binary regression", Biometrika 45, 562-565; Van Calster, B. et al. (2016), "A calibration
    hierarchy for risk models was defined: from utopia to empirical data", Journal of Clinical Epidemiology 74, 167-176.
    """

    def __init__(self, setup: Setup) -> None:
        self.signals: list[Signal] = []
        self._parts: list[tuple[Floats, Floats]] = []
        self._before = np.array([setup.profile.positives, setup.profile.negatives], np.float64)
        if self._before.sum(axis=1).min() < _FEWEST_OF_A_LABEL:
            return
        rows = self._before.sum(axis=0)
        self._follow("in the large", np.ones(SCORE_BINS), setup)
        steps = _steps(rows)
        if steps is not None:
            self._follow("slope", steps, setup)

    def _follow(self, aspect: str, weights: Floats, setup: Setup) -> None:
        """Follow the mean of label less score, each bin's rows with a weight whose mean square in the reference is 1 [bins]."""
        positives, negatives = self._before
        parts, rows = (weights * (1 - CENTRES), -weights * CENTRES), positives.sum() + negatives.sum()
        mean = float((positives * parts[0] + negatives * parts[1]).sum() / rows)
        away = [part - mean for part in parts]
        moments = [float((positives * away[0] ** k + negatives * away[1] ** k).sum() / rows) for k in (2, 3)]
        deviation = float(np.sqrt(moments[0]))
        if deviation <= _NOTHING:
            return
        floor, skewness = setup.floors.calibration, moments[1] / deviation**3
        self.signals.append(Signal(_KIND, _WATCHED, aspect, "probability", floor, rows, deviation, skewness=skewness))
        self._parts.append((away[0] / deviation, away[1] / deviation))

    def read(self, view: BucketView) -> Readings:
        """Read the histograms of scores by label."""
        if view.losses is None or not view.losses.positives or not self.signals:
            return nothing(len(self.signals))
        positives, negatives = np.array([view.losses.positives, view.losses.negatives], np.float64)
        rows = np.full(len(self.signals), positives.sum() + negatives.sum())
        total = np.array([(positives * up).sum() + (negatives * down).sum() for up, down in self._parts])
        level = np.where(rows > 0, total / np.maximum(rows, 1), np.nan)
        return Readings(level, rows, level * [signal.scale for signal in self.signals])

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show what was expected and observed, and how far apart they are in tenths of the score."""
        del index  # whoever is woken wants to see all
        found = [view.losses for view in views if view.losses is not None and view.losses.positives]
        counts = np.sum([[one.positives, one.negatives] for one in found], axis=0) if found else np.zeros_like(self._before)
        return Sketch(_shown(self._before), _shown(counts) | {"rows": float(counts.sum())})


class MeanResidual(Stateless):
    """Follows label less score of a regression: are values too low (a rise) or too high altogether?"""

    def __init__(self, setup: Setup) -> None:
        profile, floor = setup.profile, setup.floors.deviations
        self._mean, self._deviation = profile.residual_mean, profile.residual_std
        unit, rows = "standard deviations of a residual", later_rows(profile)
        signal = Signal(_KIND, _WATCHED, "in the large", unit, floor, rows, skewness=profile.residual_skew)
        self.signals: Sequence[Signal] = [signal] if self._deviation > 0 else []

    def read(self, view: BucketView) -> Readings:
        """Read the sums of labels and scores."""
        residuals = _residuals(view.losses) if view.losses is not None else None
        if view.losses is None or residuals is None or not view.losses.rows or not self.signals:
            return nothing(len(self.signals))
        level = np.array([(residuals / view.losses.rows - self._mean) / self._deviation])
        return Readings(level, np.array([float(view.losses.rows)]), level)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the mean residual."""
        del index  # there is one mean
        known = [(_residuals(view.losses), view.losses.rows) for view in views if view.losses is not None]
        found = [(residuals, rows) for residuals, rows in known if residuals is not None]
        rows = sum(rows for _, rows in found)
        mean = sum(residuals for residuals, _ in found) / max(rows, 1)
        return Sketch({"mean_residual": self._mean}, {"mean_residual": mean, "rows": float(rows)})


def expected_calibration_error(positives: Floats, negatives: Floats) -> float:
    """Return how far labels are from scores in tenths of the score, weighted by their rows; chance alone makes it more than 0.

    Source: Guo, C., Pleiss, G., Sun, Y. and Weinberger, K. Q. (2017), "On calibration of modern neural networks", International
    Conference on Machine Learning, 1321-1330.

    Args:
        positives: rows of each bin with that label [bins], at least one in all.
        negatives: those with the other.
    """
    gaps = positives - (positives + negatives) * CENTRES
    return float(np.abs(gaps.reshape(_GROUPS, -1).sum(axis=1)).sum() / (positives.sum() + negatives.sum()))


def _steps(rows: Floats) -> Floats | None:
    """Return where each bin lies among the scores, in deviations of their log odds [bins]; None where all are alike.

    The middle is weighted as labels vary, so that scores which are too low altogether don't move the slope.
    """
    odds = special.logit(CENTRES)
    weights = rows * CENTRES * (1 - CENTRES)
    steps = odds - (weights * odds).sum() / weights.sum()
    deviation = float(np.sqrt((rows * steps**2).sum() / rows.sum()))
    return steps / deviation if deviation > _NOTHING else None


def _shown(counts: Floats) -> dict[str, float]:
    positives, negatives = counts
    rows = max(float(counts.sum()), 1.0)
    return {
        "expected": float(((positives + negatives) * CENTRES).sum()) / rows,
        "observed": float(positives.sum()) / rows,
        "calibration_error": expected_calibration_error(positives, negatives) if counts.sum() else 0.0,
    }


def _residuals(losses: LossSummary) -> float | None:
    """Return the sum of label less score; None of an older summary."""
    if losses.labels is None or losses.scores is None:
        return None
    return (losses.labels - losses.scores) / FIXED


def open_detector(setup: Setup) -> ProbabilityCalibration | MeanResidual:
    """Open it."""
    return ProbabilityCalibration(setup) if setup.manifest.schema.task == "binary" else MeanResidual(setup)
