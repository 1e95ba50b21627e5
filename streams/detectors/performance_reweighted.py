"""Performance before labels are known, by all inputs: what would the loss of known rows be if they were like those that come?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from streams.detectors._joint import Remembered
from streams.detectors._known import known_rows, scored
from streams.detectors.base import BucketView, Floats, Readings, Setup, Signal, Sketch, Stateless, nothing

UNIT = "standard deviations of a row's loss"

_FIFTHS = stats.norm.ppf((0.2, 0.4, 0.6, 0.8))
_RIDGES = np.logspace(-3, 1, 9)
# A smaller effect of a row is a rounding error.
_NOTHING = 1e-9


class PerformanceReweighted(Stateless):
    """Follows the mean loss of rows that the model hadn't seen, weighted so that they are like the sampled rows.

    Columns, windows and the score are cut in fifths, and frequent categories and what is missing are apart; a row's weight is a
    sum over the parts that it lies in, which gives the parts the shares that they have in the bucket, as far as a ridge allows.
    These are the weights of least-squares importance fitting with such parts for kernels. How large the ridge is goes by how well
    the losses of rows that were left out are told from their parts; where no ridge tells them better than their mean, inputs say
    nothing of the loss, and nothing is followed. It sees what single columns do to the loss, not what pairs of them do, and holds
    as long as rows that lie alike have the loss that they had.

    The weighted mean less the unweighted one is a mean over the bucket's rows, so that what chance makes of it is measured on the
    other half of the known rows, which weights know nothing of. A sketch shows the weighted mean, and how many rows without
    weights would say as much (Kish): few where hardly any known row is like those that come. Sources: Kanamori, T., Hido, S. and
    Sugiyama, M. (2009), "A least-squares approach to direct importance estimation", Journal of Machine Learning Research 10,
    1391-1445; Deville, J.-C. and Särndal, C.-E. (1992), "Calibration estimators in survey sampling", Journal of the American
    Statistical Association 87, 376-382; Kish, L. (1965), "Survey sampling", Wiley (section 11.7).
    """

    reads_sample = True

    def __init__(self, setup: Setup) -> None:
        self._remembered = Remembered()
        self.signals: Sequence[Signal] = []
        known, spread = known_rows(setup), setup.profile.loss_std
        weighting = _Weighting(known.points, known.losses) if known is not None and spread > 0 else None
        if known is None or weighting is None or not weighting.tells or weighting.deviation <= _NOTHING * spread:
            return
        self._space, self._weighting = known.space, weighting
        scale, floor = weighting.deviation / spread, setup.floors.loss_std
        self.signals = [
            Signal(
                "performance_estimate", "loss", "reweighted", UNIT, floor, weighting.rows, scale, rises_only=True,
                skewness=weighting.skewness,
            )
        ]  # fmt: skip

    def read(self, view: BucketView) -> Readings:
        """Weight the known rows so that they are like the sampled ones that have a score."""
        points = self._space.placed(scored(view.inputs)) if self.signals else None
        if points is None:
            return nothing(len(self.signals))
        self._remembered.keep(view, self._weighting.told(points))
        level = np.array([self._weighting.rises(points).mean() / self._weighting.deviation])
        return Readings(level, np.array([float(len(points))]), level * self.signals[0].scale)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the loss that is to be expected, and how many known rows it rests on."""
        del index  # there is one signal
        return Sketch(self._weighting.before, self._remembered.mean(views))


class _Weighting:
    """Weights of half of the known rows, and what they make of the loss for each row that comes; the others say what is usual.

    Args:
        points: where known rows lie [n, d], in random order.
        losses: theirs [n].
    """

    def __init__(self, points: Floats, losses: Floats) -> None:
        half = len(points) // 2
        held_out, losses = points[half:], losses[:half]
        parts, self._middle = _parts(points[:half]), _parts(held_out).mean(axis=0)
        rows, widths, self._turn = np.linalg.svd(parts - parts.mean(axis=0), full_matrices=False)
        errors = [_left_out((rows, widths), losses, half * ridge) for ridge in _RIDGES]
        self.tells = min(errors) < _left_out((rows, widths), losses, math.inf)
        """Whether parts tell the losses of rows that are left out better than their mean does."""
        penalised = widths**2 + half * _RIDGES[int(np.argmin(errors))]
        self._number, self._loss = half, float(losses.mean())
        self._spread = half * widths**2 / penalised**2
        self._rise = self._turn.T @ (widths / penalised * (rows.T @ losses))
        usual = self.rises(held_out)
        self.rows, self.deviation = float(len(usual)), float(usual.std())
        self.skewness = float(((usual / self.deviation) ** 3).mean()) if self.deviation > 0 else 0.0
        self.before = {"estimated_loss": self._loss, "effective_rows": float(self._number)}

    def rises(self, points: Floats) -> Floats:
        """Return what each row adds to the weighted mean loss, less the unweighted one [rows]; 0 on average of those held out."""
        found: Floats = (_parts(points) - self._middle) @ self._rise
        return found

    def told(self, points: Floats) -> dict[str, float]:
        """Return the weighted mean loss, and how many rows without weights would be as sure."""
        away = self._turn @ (_parts(points).mean(axis=0) - self._middle)
        effective = self._number / (1 + float((self._spread * away**2).sum()))
        return {"estimated_loss": self._loss + float(self.rises(points).mean()), "effective_rows": effective}


def _left_out(parts: tuple[Floats, Floats], losses: Floats, ridge: float) -> float:
    """Return the mean squared error of losses that are each told from all other rows by a ridge regression on parts.

    Args:
        parts: left singular vectors [n, k] and singular values [k] of the parts, each less its mean.
        losses: what is told [n].
        ridge: that is added to the squares of the parts; infinite, all are told the mean of the others.

    Source: Allen, D. M. (1974), "The relationship between variable selection and data augmentation and a method for prediction",
    Technometrics 16, 125-127.
    """
    rows, widths = parts
    kept = widths**2 / (widths**2 + ridge)
    away = losses - losses.mean()
    leverage = 1 / len(losses) + rows**2 @ kept
    return float((((away - rows @ (kept * (rows.T @ away))) / (1 - leverage)) ** 2).mean())


def _parts(points: Floats) -> Floats:
    """Say in which fifth of a normal distribution each coordinate lies [rows, 5 * d]: axes of numbers are normal scores."""
    fifths = np.searchsorted(_FIFTHS, points, side="right")
    found: Floats = (fifths[:, :, None] == np.arange(len(_FIFTHS) + 1)).reshape(len(points), -1).astype(np.float64)
    return found


def open_detector(setup: Setup) -> PerformanceReweighted:
    """Open it."""
    return PerformanceReweighted(setup)
