"""How good a model is before its labels are known: what became of rows with such scores, for the scores that come now.

It holds as long as a score means what it meant (other rows come, what follows from them is the same): a new relation between
inputs and labels shows in labels only. Each bin of the score has its own outcomes; positives are made to become no rarer as the
score rises, which takes out what is chance in small bins (Zadrozny, B. and Elkan, C. (2002), "Transforming classifier scores into
accurate multiclass probability estimates", KDD).

Source of the idea: confidence-based performance estimation, as in Białek, J., Kivimäki, J., Kuberski, W. and Perrakis, N.
(2025), "Estimating model performance under covariate shift without labels", NeurIPS.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

from streams.contracts.bundle import ScoreOutcomes

Floats = npt.NDArray[np.float64]


class Estimate(NamedTuple):
    """Expected mean loss of some rows, and for binary models the area under the ROC curve and the share that is right."""

    loss: float
    auc: float | None
    accuracy: float | None


class Estimator:
    """Estimates from counts on the bins of the score.

    Args:
        outcomes: of rows that the model hadn't seen.
    """

    def __init__(self, outcomes: ScoreOutcomes) -> None:
        rows = np.array(outcomes.rows, np.float64)
        self.rows = rows
        """Rows of the reference in each bin [bins]."""
        self.loss = _shares(np.array(outcomes.loss, np.float64) * rows, rows)
        """Mean loss in each bin [bins]."""
        self.is_binary = bool(outcomes.positives)
        self.chance = _shares(np.array(outcomes.positives or np.zeros(len(rows)), np.float64), rows, is_rising=True)
        """Share of positives in each bin [bins]; zeros for regression."""
        self._within = np.array(outcomes.within or np.full(len(rows), 0.5), np.float64)
        self.right = _shares(np.array(outcomes.right or np.zeros(len(rows)), np.float64), rows)
        """Share of each bin's rows that the threshold has right [bins]; zeros for regression."""

    def estimate(self, counts: Sequence[int] | Floats) -> Estimate | None:
        """Estimate for rows that are counted on the bins [bins]; None of no rows."""
        found = np.asarray(counts, np.float64)
        total = float(found.sum())
        if not total:
            return None
        loss, right = (float((found * part).sum() / total) for part in (self.loss, self.right))
        if not self.is_binary:
            return Estimate(loss, None, None)
        return Estimate(loss, _area(found * self.chance, found * (1 - self.chance), self._within), right)


def _area(positives: Floats, negatives: Floats, within: Floats) -> float | None:
    ones, zeros = positives.sum(), negatives.sum()
    if not ones or not zeros:
        return None
    below = np.cumsum(negatives) - negatives * (1 - within)
    return float((positives * below).sum() / (ones * zeros))


def _shares(sums: Floats, rows: Floats, *, is_rising: bool = False) -> Floats:
    """Divide; a bin without rows has what lies between its neighbours. With `is_rising`, the nearest shares that don't fall."""
    known = np.flatnonzero(rows)
    if not len(known):
        return np.zeros(len(rows))
    shares = sums[known] / rows[known]
    if is_rising:
        shares = isotonic_regression(shares, weights=rows[known]).x
    return np.interp(np.arange(len(rows)), known, shares)
