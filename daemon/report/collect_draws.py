"""The skills' block bootstrap of an AUC, for many periods at once: the same draws, the same values, a fraction of the time."""

from __future__ import annotations

import numpy as np

from skills._kit.frames import Floats, Integers
from skills._kit.metrics import Estimate, auc, block_draws, compared, drawn_aucs, estimate, measured
from streams.contracts.schema import Task


def measured_fast(task: Task, labels: Floats, scores: Floats, seed: int) -> Estimate:
    """Return what `skills._kit.metrics.measured` returns."""
    if task != "binary":
        return measured(task, labels, scores, seed)
    return estimate(auc(labels, scores), drawn(labels, scores, *block_draws(len(labels), seed)))


def difference_fast(task: Task, labels: Floats, first: Floats, second: Floats, seed: int) -> Estimate:
    """Return the metric of the second less that of the first, as `skills._kit.metrics.compared` does."""
    if task != "binary":
        return compared(task, labels, first, second, seed=seed)[2]
    block, taken = block_draws(len(labels), seed)
    draws = drawn(labels, second, block, taken) - drawn(labels, first, block, taken)
    return estimate(auc(labels, second) - auc(labels, first), draws)


def drawn(labels: Floats, scores: Floats, block: Integers, taken: Integers) -> Floats:
    """Return the AUC of every draw, as `drawn_aucs` does.

    A draw repeats whole blocks, so how often a positive of one block stands above a negative of another needs counting only
    once for each pair of blocks; every draw is then a weighted sum over the pairs.
    """
    number, positive = taken.shape[1], labels > 0.5
    if number < 2:
        return drawn_aucs(labels, scores, block, taken)
    order = np.argsort(scores[positive])
    asked, asked_block = scores[positive][order], block[positive][order]
    above = np.zeros((number, number))
    for other in range(number):
        known = np.sort(scores[(block == other) & ~positive])
        below = np.searchsorted(known, asked, "left") + np.searchsorted(known, asked, "right")
        above[:, other] = np.bincount(asked_block, below / 2, number)
    weights = taken.astype(np.float64)
    hits, misses = (weights @ np.bincount(block[rows], minlength=number) for rows in (positive, ~positive))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = ((weights @ above) * weights).sum(axis=1) / (hits * misses)
    return found
