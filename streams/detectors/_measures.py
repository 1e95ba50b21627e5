"""Quality of a model from summed outcomes: the area under the ROC curve, with its standard error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streams.contracts.schema import Task
from streams.contracts.summaries import SCORE_BINS
from streams.detectors.base import Floats

CENTRES: Floats = (np.arange(SCORE_BINS) + 0.5) / SCORE_BINS
"""The middle of each bin that scores are counted in by label."""


# Scores are kept so far from 0 and 1.
_EDGE = 1e-7


class Measured(NamedTuple):
    """A measured value, its standard error and the rows behind it."""

    value: float
    error: float
    rows: int


def auc(positives: Sequence[int], negatives: Sequence[int]) -> Measured | None:
    """Area under the ROC curve from histograms of scores by label; None without a row of each label.

    Rows of one bin count as ties, a half each, so bins coarser than the scores pull the area towards 0.5. Source: Hanley, J. A.
    and McNeil, B. J. (1982), "The meaning and use of the area under a receiver operating characteristic (ROC) curve",
    Radiology 143, 29-36 (equations 1 and 2).
    """
    good, bad = np.asarray(positives, np.float64), np.asarray(negatives, np.float64)
    ones, zeros = float(good.sum()), float(bad.sum())
    if not ones or not zeros:
        return None
    below = np.cumsum(bad) - bad
    area = float((good * (below + bad / 2)).sum()) / (ones * zeros)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (ones - 1) * (q1 - area**2) + (zeros - 1) * (q2 - area**2)
    return Measured(area, math.sqrt(max(variance, 0.0) / (ones * zeros)), int(ones + zeros))


def row_losses(task: Task, labels: Floats, scores: Floats) -> Floats:
    """Return each row's loss [rows], as measuring does: log loss in nats for binary, squared error for regression."""
    if task == "regression":
        return (labels - scores) ** 2
    chance = np.clip(scores, _EDGE, 1 - _EDGE)
    return -np.where(labels == 1, np.log(chance), np.log1p(-chance))


class AreaParts(NamedTuple):
    """The area under the ROC curve, and what a positive and a negative in each bin of the score add to it [bins each]."""

    area: float
    of_positives: Floats
    of_negatives: Floats


def area_parts(positives: Floats, negatives: Floats) -> AreaParts:
    """Split the area up into what rows add to it, given where the others' rows of the other label lie.

    A positive adds the share of the negatives below it, a negative the share of the positives above it, each less the area and
    weighted by its label's frequency; over all rows the mean is 0. Source: DeLong, E. R., DeLong, D. M. and Clarke-Pearson, D. L.
    (1988), "Comparing the areas under two or more correlated receiver operating characteristic curves: a nonparametric approach",
    Biometrics 44, 837-845 (structural components).

    Args:
        positives: rows of each bin with that label [bins], at least one in all.
        negatives: those with the other.
    """
    ones, zeros = positives.sum(), negatives.sum()
    below = (np.cumsum(negatives) - negatives / 2) / zeros
    above = 1 - (np.cumsum(positives) - positives / 2) / ones
    area = float((positives * below).sum() / ones)
    share = ones / (ones + zeros)
    return AreaParts(area, (below - area) / share, (above - area) / (1 - share))
