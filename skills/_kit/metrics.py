"""How good scores are, and how sure we are of a difference. All arrays are float64 [rows]; labels of binary tasks are 0 or 1.

Intervals come from a paired bootstrap over blocks of rows that lie together in time: neighbours share their fate, so drawing
single rows would claim too much. DeLong's variance (DeLong et al. 1988, computed from mid-ranks as Sun and Xu 2014 do) is the
closed form for independent rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats

from skills._kit.frames import Floats, Integers
from streams.contracts.bundle import Interval

DRAWS = 1_000
BLOCKS = 100
LEAST_BLOCKS = 6
_TINY = 1e-7


class Estimate(NamedTuple):
    """A value with its 95 % and 99.9 % intervals, or those of several that hold together as surely."""

    value: float
    low: float
    high: float
    low999: float
    high999: float


def auc(labels: Floats, scores: Floats) -> float:
    """Return the area under the ROC curve; NaN when only one class is there."""
    positive = labels > 0.5
    hits, misses = int(positive.sum()), int((~positive).sum())
    if not hits or not misses:
        return float("nan")
    ranks = stats.rankdata(scores)
    return float((ranks[positive].sum() - hits * (hits + 1) / 2) / (hits * misses))


def log_losses(labels: Floats, scores: Floats) -> Floats:
    """Return each row's log loss in nats; scores are kept 1e-7 away from 0 and 1."""
    kept = np.clip(scores, _TINY, 1 - _TINY)
    return -(labels * np.log(kept) + (1 - labels) * np.log1p(-kept))


def squared_errors(labels: Floats, scores: Floats) -> Floats:
    """Return each row's squared error; the mean is the Brier score of a binary task."""
    return np.square(labels - scores)


def losses(task: str, labels: Floats, scores: Floats) -> Floats:
    """Return each row's loss: log loss for `binary`, squared error for `regression`."""
    return log_losses(labels, scores) if task == "binary" else squared_errors(labels, scores)


def calibration_error(labels: Floats, scores: Floats, bins: int = 10) -> float:
    """Return the expected calibration error: |mean score - mean label| over bins of equally many rows, weighted by rows."""
    if not len(labels):
        return float("nan")
    pieces = zip(
        *(np.array_split(values[np.argsort(scores, kind="stable")], min(bins, len(scores))) for values in (labels, scores)),
        strict=True,
    )
    return float(sum(abs(label.mean() - score.mean()) * len(label) for label, score in pieces) / len(labels))


def delong(labels: Floats, first: Floats, second: Floats) -> tuple[float, float]:
    """Return (AUC of second - AUC of first, standard error) for scores of the same rows, rows taken as independent."""
    positive = labels > 0.5
    hits, misses = int(positive.sum()), int((~positive).sum())
    if hits < 2 or misses < 2:
        return float("nan"), float("nan")
    above, below = [], []
    for scores in (first, second):
        ranks = stats.rankdata(scores)
        above.append((ranks[positive] - stats.rankdata(scores[positive])) / misses)
        below.append(1 - (ranks[~positive] - stats.rankdata(scores[~positive])) / hits)
    gained, lost = above[1] - above[0], below[1] - below[0]
    return float(gained.mean()), float(np.sqrt(gained.var(ddof=1) / hits + lost.var(ddof=1) / misses))


def block_draws(rows: int, seed: int, draws: int = DRAWS, blocks: int = BLOCKS) -> tuple[Integers, Integers]:
    """Draw blocks of neighbouring rows with replacement.

    Returns:
        block of each row [rows], and how often each draw took each block [draws, blocks].
    """
    number = max(1, min(blocks, rows))
    taken = np.random.default_rng(seed).multinomial(number, np.full(number, 1 / number), size=draws)
    return np.arange(rows, dtype=np.int64) * number // max(rows, 1), taken.astype(np.int64)


def drawn_aucs(labels: Floats, scores: Floats, block: Integers, taken: Integers) -> Floats:
    """Return the AUC of every draw [draws]; NaN where a draw has one class only. Rows in ties count half, as in `auc`.

    A draw repeats whole blocks, so how often a positive of one block stands above a negative of another needs counting only
    once for each pair of blocks; every draw is then a weighted sum over the pairs.
    """
    number, positive = taken.shape[1], labels > 0.5
    order = np.argsort(scores[positive], kind="stable")  # searches in order are faster
    high, of_high = scores[positive][order], block[positive][order]
    won = np.zeros((number, number))
    for one in range(number):
        low = np.sort(scores[~positive & (block == one)])
        below = (np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")) / 2
        won[:, one] = np.bincount(of_high, below, number)
    hits, misses = (taken @ np.bincount(block[rows], minlength=number) for rows in (positive, ~positive))
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn: Floats = ((taken @ won) * taken).sum(axis=1) / (hits * misses)
    return drawn


def drawn_means(values: Floats, block: Integers, taken: Integers) -> Floats:
    """Return the mean of `values` over every draw [draws]."""
    number = taken.shape[1]
    sums, sizes = np.bincount(block, values, number), np.bincount(block, minlength=number)
    return (taken @ sums) / np.maximum(taken @ sizes, 1)


def estimate(value: float, draws: Floats, comparisons: int = 1) -> Estimate:
    """Put percentile intervals of the bootstrap draws around a value; NaN bounds when most draws gave no number.

    Of several `comparisons`, each interval is so much wider that all hold together (Bonferroni's correction; Dunn 1961).
    """
    usable = draws[np.isfinite(draws)]
    if len(usable) < len(draws) / 2 or not len(usable):
        return Estimate(value, *[float("nan")] * 4)
    tail, tail999 = 0.025 / comparisons, 0.0005 / comparisons
    low, high, low999, high999 = np.quantile(usable, (tail, 1 - tail, tail999, 1 - tail999))
    return Estimate(value, float(low), float(high), float(low999), float(high999))


def metric_name(task: str) -> str:
    """Name the metric that judges a task: `auc`, larger is better, or `rmse`, smaller is better."""
    return "auc" if task == "binary" else "rmse"


def _measure(task: str) -> tuple[Callable[[Floats, Floats], float], Callable[[Floats, Floats, Integers, Integers], Floats]]:
    if task == "binary":
        return auc, drawn_aucs
    return (
        lambda labels, scores: float(np.sqrt(squared_errors(labels, scores).mean())),
        lambda labels, scores, block, taken: np.sqrt(drawn_means(squared_errors(labels, scores), block, taken)),
    )


def measured(task: str, labels: Floats, scores: Floats, seed: int, draws: int = DRAWS) -> Estimate:
    """Return the task's metric with intervals; rows are in order of time."""
    value, drawn = _measure(task)
    return estimate(value(labels, scores), drawn(labels, scores, *block_draws(len(labels), seed, draws)))


def validated(task: str, labels: Floats, scores: Floats, seed: int) -> dict[str, Interval]:
    """Return the metric, and of a binary task log loss and Brier score too, of rows in order of time, with their intervals."""
    found = {metric_name(task): measured(task, labels, scores, seed)}
    if task == "binary":
        block, taken = block_draws(len(labels), seed)
        for name, values in (("log_loss", log_losses(labels, scores)), ("brier", squared_errors(labels, scores))):
            found[name] = estimate(float(values.mean()), drawn_means(values, block, taken))
    return {name: Interval(one.value, one.low, one.high) for name, one in found.items()}


def compared(
    task: str, labels: Floats, first: Floats, second: Floats, *, seed: int, draws: int = DRAWS, comparisons: int = 1
) -> tuple[Estimate, Estimate, Estimate]:
    """Compare two models' scores of the same rows, in order of time, on the same bootstrap draws.

    It may be one of several comparisons, of which the best is taken; see `estimate`.

    Returns:
        the metric of the first, of the second, and second minus first.
    """
    value, drawn = _measure(task)
    block, taken = block_draws(len(labels), seed, draws)
    before, after = drawn(labels, first, block, taken), drawn(labels, second, block, taken)
    old, new = value(labels, first), value(labels, second)
    return (
        estimate(old, before, comparisons),
        estimate(new, after, comparisons),
        estimate(new - old, after - before, comparisons),
    )


class Gain(NamedTuple):
    """A mean improvement with its 95 % interval, and the p-value of there being none."""

    value: float
    low: float
    high: float
    p_value: float


def block_gain(improvements: Floats, weights: Floats, blocks: Integers) -> Gain:
    """Test a weighted mean of per-row improvements, allowing rows of one block to depend on each other.

    The interval is the cluster-robust one of a ratio of sums over blocks, with Student's t for blocks - 1. The p-value is that
    of Wilcoxon's signed-rank test over the blocks' means, one-sided: a few stormy blocks neither make nor hide a gain.
    """
    number = int(blocks.max(initial=-1)) + 1
    sums, sizes = np.bincount(blocks, improvements * weights, number), np.bincount(blocks, weights, number)
    used = sizes > 0
    count, total = int(used.sum()), float(sizes.sum())
    if count < LEAST_BLOCKS or not np.any(sums):
        return Gain(0.0 if not total else float(sums.sum() / total), float("-inf"), float("inf"), 1.0)
    value = float(sums.sum() / total)
    spread = float(np.sqrt(np.square(sums - value * sizes)[used].sum() * count / (count - 1)) / total)
    margin = float(stats.t.ppf(0.975, count - 1)) * spread
    p_value = float(stats.wilcoxon(sums[used] / sizes[used], alternative="greater").pvalue)
    return Gain(value, value - margin, value + margin, p_value)


def holm(p_values: list[float]) -> list[float]:
    """Return the p-values corrected for their number by Holm's step-down method, in the given order."""
    corrected, largest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, p_values[index] * (len(p_values) - place)))
        corrected[index] = largest
    return corrected
