"""Distances between a bucket's counts and the reference's shares, as row scores with mean 0 and variance 1 in the reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from streams.detectors.base import Floats

ASPECTS = ("location", "spread", "asymmetry")
WEIGHTS = (8.0, 1.0, 1.0)
"""Of their alarms by chance: what changes in practice changes its level first of all."""
_LEAST_NORM = 1e-6
# Where a bin lies that the reference has nothing in, at either end.
_FARTHEST = 4.0


def normal_scores(shares: Sequence[float]) -> list[Floats]:
    """Return up to three orthonormal scores of a distribution's bins: where it lies, how wide it is, how it leans.

    The first is the mean of a standard normal variable over each bin's part of the distribution, the others are its square and
    cube made orthogonal to what came before: for shifts and stretches of anything near normal no test of the bins has more power,
    and no outlier weighs more than its bin. Sources: van der Waerden, B. L. (1952), "Order tests for the two-sample problem and
    their power", Indagationes Mathematicae 14, 453-458; Neyman, J. (1937), "Smooth test for goodness of fit", Skandinavisk
    Aktuarietidskrift 20, 149-199.

    Args:
        shares: of the reference's bins in order, adding up to 1.
    """
    weights = np.asarray(shares, np.float64)
    edges = stats.norm.ppf(np.clip(np.r_[0.0, np.cumsum(weights)], 0.0, 1.0))
    density = stats.norm.pdf(edges)
    inside = weights > 0
    middle = np.clip(np.where(np.isfinite(edges[:-1]), edges[:-1], edges[1:]), -_FARTHEST, _FARTHEST)
    base = np.where(inside, (density[:-1] - density[1:]) / np.where(inside, weights, 1.0), middle)
    found: list[Floats] = [np.ones_like(weights)]
    for power in (1, 2, 3):
        score = base**power
        for earlier in found:
            score = score - (weights * score * earlier).sum() * earlier
        norm = float(np.sqrt((weights * score**2).sum()))
        if norm < _LEAST_NORM:
            break
        found.append(score / norm)
    return found[1:]


def skewness(shares: Sequence[float], scores: Floats) -> float:
    """Return the third moment of standardised scores in the reference."""
    return float((np.asarray(shares) * scores**3).sum())


def share_level(hits: Floats, rows: Floats, expected: Floats) -> Floats:
    """Return how far a share of rows is from what is expected, in standard deviations of a row [m].

    The arcsine of the root has the same variance whatever the share, so that shares near 0 can be told from chance too. Source:
    Anscombe, F. J. (1948), "The transformation of Poisson, binomial and negative-binomial data", Biometrika 35, 246-254.

    Args:
        hits: counted in the bucket [m].
        rows: that they are of [m].
        expected: shares in the reference [m].
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        seen, usual = ((count + 0.375) / (rows + 0.75) for count in (hits, rows * expected))
        level = 2 * (np.arcsin(np.sqrt(np.clip(seen, 0, 1))) - np.arcsin(np.sqrt(np.clip(usual, 0, 1))))
    return np.where(rows > 0, level, np.nan)
