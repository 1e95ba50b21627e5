"""Rung 0 of the search: what every candidate could add to a model, seen alone, in one pass over histograms.

A candidate is cut into bins; each bin gets the Newton step of the model's loss there (the leaf of a one-split-per-bin tree
on top of the model's margin), learned on earlier rows and paid out on later ones. Half the work of a booster's first round,
without the booster. Controls are candidates whose values were moved in time by blocks: they keep their distribution and
their autocorrelation and lose their meaning, so the best of them says what luck alone can gain.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skills._kit.frames import Booleans, Floats, Integers, Singles

# Even steps in the middle, fine steps in both tails: a burst is rarer than any decile.
_LEVELS = np.unique(np.r_[np.linspace(0.04, 0.96, 24), 0.005, 0.01, 0.02, 0.98, 0.99, 0.995, 0.998, 0.9995])
_RIDGE = 20.0
_MOVED_BLOCKS = 40


class Residuals(NamedTuple):
    """How the loss of each row changes with the model's margin [rows]: gradient and curvature (times the row's weight)."""

    gradient: Floats
    curvature: Floats


def residuals(task: str, labels: Floats, margins: Floats, weights: Floats) -> Residuals:
    """Return the derivatives of log loss (`binary`; margins are log odds) or of half the squared error."""
    if task != "binary":
        return Residuals((margins - labels) * weights, weights.copy())
    chance = 1 / (1 + np.exp(-margins))
    return Residuals((chance - labels) * weights, np.maximum(chance * (1 - chance), 1e-6) * weights)


def gains(values: Singles, against: Residuals, folds: Integers) -> Floats:
    """Return what each column would surely gain [columns], in units of the loss per row, on rows it didn't learn from.

    That is the mean over the later folds less its standard error: what gains a lot in one stretch of time and nothing
    elsewhere is luck or a trend, and comes out low.

    Args:
        values: [rows, columns], NaN where missing.
        against: the derivatives of the current model's loss [rows].
        folds: each row's fold [rows], 0 up, later folds later in time; fold k pays out what the folds before it taught.
    """
    return np.array([_gain(values[:, index], against, folds) for index in range(values.shape[1])])


def _gain(column: Singles, against: Residuals, folds: Integers) -> float:
    bins, number = binned(column, folds == 0)
    count = int(folds.max()) + 1
    if number < 2 or count < 2:
        return 0.0
    place = folds * number + bins
    slope = np.bincount(place, against.gradient, count * number).reshape(count, number).astype(np.float64)
    bend = np.bincount(place, against.curvature, count * number).reshape(count, number).astype(np.float64)
    # A constant step, which any model could take, is no merit of the candidate.
    paid = _paid(slope, bend) - _paid(slope.sum(axis=1, keepdims=True), bend.sum(axis=1, keepdims=True))
    a_row = paid / np.maximum(np.bincount(folds, minlength=count)[1:], 1)
    doubt = a_row.std(ddof=1) / np.sqrt(count - 1) if count > 2 else 0.0
    return float(a_row.mean() - doubt)


def _paid(slope: Floats, bend: Floats) -> Floats:
    """Return what Newton steps learned on all earlier folds gain on each later fold [folds - 1]; inputs are [folds, bins]."""
    taught = -np.cumsum(slope, axis=0) / (np.cumsum(bend, axis=0) + _RIDGE)
    gained: Floats = -(slope[1:] * taught[:-1] + bend[1:] * np.square(taught[:-1]) / 2).sum(axis=1)
    return gained


def binned(column: Singles, learning: Booleans) -> tuple[Integers, int]:
    """Cut a column at quantiles of its learning rows; missing has bin 0. Return the bins [rows] and their number."""
    present = np.isfinite(column)
    known = column[present & learning]
    if not len(known):
        return present.astype(np.int64), int(present.any()) + int((~present).any())
    edges = np.unique(np.quantile(known, _LEVELS, method="lower"))
    bins = np.where(present, 1 + np.searchsorted(edges, column, side="right"), 0)
    return bins.astype(np.int64), len(edges) + 2


def moved(rows: int, generator: np.random.Generator) -> Integers:
    """Return an order of rows in which blocks of neighbours changed places: the index that makes a control."""
    pieces = np.array_split(np.arange(rows, dtype=np.int64), min(_MOVED_BLOCKS, max(rows, 1)))
    order = generator.permutation(len(pieces))
    offset = int(generator.integers(0, max(rows, 1)))
    return np.roll(np.concatenate([pieces[index] for index in order]), offset)


def rank_correlation(first: Singles, second: Singles, most_rows: int = 5_000) -> float:
    """Return |Spearman's rho| on evenly spread rows; missing values are put at the columns' medians."""
    step = max(1, len(first) // most_rows)
    ranks = [_ranks(column[::step]) for column in (first, second)]
    spread = ranks[0].std() * ranks[1].std()
    return float(abs(np.mean((ranks[0] - ranks[0].mean()) * (ranks[1] - ranks[1].mean())) / spread)) if spread else 0.0


def _ranks(column: Singles) -> Floats:
    present = np.isfinite(column)
    if not present.any():
        return np.zeros(len(column))
    filled = np.where(present, column, np.median(column[present]))
    values, inverse, counts = np.unique(filled, return_inverse=True, return_counts=True)
    del values
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]
