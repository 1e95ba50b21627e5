"""The measures of quality, each larger for better scores, and the bootstrap of the difference of two policies.

All arrays are float64 [rows] without NaN, in order of event time; labels of binary tasks are 0 or 1. A measure that has no
value for its rows is NaN. The bootstrap takes blocks of rows that lie together in time (see `skills._kit.metrics`).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from skills._kit.frames import Floats, Integers
from skills._kit.metrics import Estimate, auc, block_draws, drawn_aucs, drawn_means, estimate, squared_errors

Metric = Literal["average_precision", "auc", "accuracy", "kappa_temporal", "negative_brier", "negative_rmse"]

RANKED: frozenset[Metric] = frozenset({"average_precision", "auc"})
"""Those that only ask for the order of the scores, and need rows of both classes."""

DRAWS = 4_000
"""So many that two draws lie beyond each end of a 99.9 % interval."""

_CHUNK = 8_000_000


def measure(metric: Metric, labels: Floats, scores: Floats) -> float:
    """Return the value of a measure over rows; NaN where it has none.

    `accuracy` is the share of rows whose score says their class: above 0.5 is class 1, 0.5 itself is class 0. Brier score and
    root mean squared error are returned below zero, so that more is better.
    """
    if not len(labels):
        return float("nan")
    if metric == "auc":
        return auc(labels, scores)
    if metric == "average_precision":
        return average_precision(labels, scores)
    if metric == "kappa_temporal":
        return kappa_temporal(labels, scores)
    return float(_drawn_mean(metric, labels, scores, *_everything_once(len(labels)))[0])


def difference(metric: Metric, labels: Floats, new: Floats, old: Floats, *, seed: int, draws: int = DRAWS) -> Estimate:
    """Return the measure of `new` less that of `old` on the same rows, with its paired 95 % and 99.9 % intervals."""
    value = measure(metric, labels, new) - measure(metric, labels, old)
    if not np.isfinite(value):
        return Estimate(*[float("nan")] * 5)
    block, taken = block_draws(len(labels), seed, draws)
    return estimate(value, drawn(metric, labels, new, block, taken) - drawn(metric, labels, old, block, taken))


def drawn(metric: Metric, labels: Floats, scores: Floats, block: Integers, taken: Integers) -> Floats:
    """Return the measure of every draw [draws]; `block` [rows] and `taken` [draws, blocks] are those of `block_draws`."""
    if metric == "auc":
        return drawn_aucs(labels, scores, block, taken)
    if metric == "average_precision":
        return drawn_average_precisions(labels, scores, block, taken)
    if metric == "kappa_temporal":
        kept, repeated = block[1:], (labels[1:] == labels[:-1]).astype(np.float64)
        return _kappa(drawn_means(_right(labels, scores)[1:], kept, taken), drawn_means(repeated, kept, taken))
    return _drawn_mean(metric, labels, scores, block, taken)


def kappa_temporal(labels: Floats, scores: Floats) -> float:
    """Return how much of the last label's error is avoided: (accuracy - repeated) / (1 - repeated).

    `repeated` is the share of rows whose label is that of the row before (Zliobaite et al. 2015, "Evaluation methods and
    decision theory for classification of streaming data with temporal dependence"). Both shares leave out the first row, which
    has none before it. NaN for less than two rows and where every label repeats the one before.
    """
    if len(labels) < 2:
        return float("nan")
    return float(drawn("kappa_temporal", labels, scores, *_everything_once(len(labels)))[0])


def average_precision(labels: Floats, scores: Floats) -> float:
    """Return the sum over distinct scores, from the highest, of precision times gained recall; NaN when one class only is there.

    Rows in a tie are taken together, as scikit-learn does.
    """
    positives = int((labels > 0.5).sum())
    if not 0 < positives < len(labels):
        return float("nan")
    return float(drawn_average_precisions(labels, scores, *_everything_once(len(labels)))[0])


def drawn_average_precisions(labels: Floats, scores: Floats, block: Integers, taken: Integers) -> Floats:
    """Return the average precision of every draw [draws]; NaN where a draw has no positive row.

    A draw repeats whole blocks, so how many rows of a block reach a positive's score needs counting only once.
    """
    number, positive = taken.shape[1], labels > 0.5
    levels, level = np.unique(scores[positive], return_inverse=True)
    if not len(levels):
        return np.full(len(taken), np.nan)
    hits = np.bincount(block[positive] * len(levels) + level, minlength=number * len(levels)).reshape(number, -1)
    reaching = np.stack([_reaching(scores[block == one], levels) for one in range(number)])
    found, step = [], max(1, _CHUNK // len(levels))
    for begin in range(0, len(taken), step):
        weights = taken[begin : begin + step].astype(np.float64)
        gained, chosen = weights @ hits, weights @ reaching
        right = np.cumsum(gained[:, ::-1], axis=1)[:, ::-1]
        precision = np.divide(right, chosen, out=np.zeros_like(right), where=chosen > 0)
        with np.errstate(invalid="ignore"):
            found.append((gained * precision).sum(axis=1) / gained.sum(axis=1))
    return np.concatenate(found)


def _reaching(scores: Floats, levels: Floats) -> Integers:
    """Count the rows that score at least each level [levels]."""
    return (len(scores) - np.searchsorted(np.sort(scores), levels)).astype(np.int64)


def _everything_once(rows: int) -> tuple[Integers, Integers]:
    return np.zeros(rows, dtype=np.int64), np.ones((1, 1), dtype=np.int64)


def _right(labels: Floats, scores: Floats) -> Floats:
    right: Floats = np.equal(scores > 0.5, labels > 0.5).astype(np.float64)
    return right


def _kappa(right: Floats, repeated: Floats) -> Floats:
    found: Floats = np.divide(right - repeated, 1 - repeated, out=np.full_like(right, np.nan), where=repeated < 1)
    return found


def _drawn_mean(metric: Metric, labels: Floats, scores: Floats, block: Integers, taken: Integers) -> Floats:
    if metric == "accuracy":
        return drawn_means(_right(labels, scores), block, taken)
    errors = drawn_means(squared_errors(labels, scores), block, taken)
    worse: Floats = errors if metric == "negative_brier" else np.sqrt(errors)
    return -worse
