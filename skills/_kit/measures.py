"""Metrics that people set goals for, each of one model's scores of some rows, and how sure it is. All arrays are float64 [rows].

Every metric but the AUC follows from sums over rows, so that a draw of the block bootstrap is a sum over blocks. A score of the
threshold or above is called positive. Shares (precision and its kin) are bounded by Wilson's score interval besides: where
almost all rows count the same, all draws are alike, and would claim to be sure of what a dozen rows say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, Literal, NamedTuple

import numpy as np
from scipy import stats

from skills._kit.frames import Floats, Integers
from skills._kit.metrics import auc, drawn_aucs, log_losses, squared_errors
from streams.contracts.bundle import Interval

Better = Literal["higher", "lower"]

CALIBRATION_BINS = 10

# The cells of a confusion matrix: 2 for a positive label, and 1 for a score that is called positive.
_TN, _FP, _FN, _TP = range(4)
_SHARES: Final[Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]] = {
    "precision": ((_TP,), (_FP, _TP)),
    "recall": ((_TP,), (_FN, _TP)),
    "specificity": ((_TN,), (_TN, _FP)),
    "false_positive_rate": ((_FP,), (_TN, _FP)),
    "false_negative_rate": ((_FN,), (_FN, _TP)),
    "accuracy": ((_TN, _TP), (_TN, _FP, _FN, _TP)),
    "error_rate": ((_FP, _FN), (_TN, _FP, _FN, _TP)),
    # F1 is 2 j / (1 + j) for the share j of true positives among all rows that are or are called positive.
    "f1": ((_TP,), (_FP, _FN, _TP)),
}
_ROW_BY_ROW: Final[Mapping[str, Callable[[Floats, Floats], Floats]]] = {
    "log_loss": log_losses,
    "brier": squared_errors,
    "rmse": squared_errors,
    "mae": lambda labels, scores: np.abs(labels - scores),
}
_BINARY: Final = (*_SHARES, "auc", "log_loss", "brier", "calibration_error")
_REGRESSION: Final = ("rmse", "mae", "r2")
_HIGHER: Final = frozenset({"precision", "recall", "specificity", "f1", "accuracy", "auc", "r2"})

TASKS: Final[Mapping[str, str]] = dict.fromkeys(_BINARY, "binary") | dict.fromkeys(_REGRESSION, "regression")
"""The task of each metric that can be measured."""


class Drawn(NamedTuple):
    """The values of all draws [draws].

    `slack` is how far each draw can be from the truth by what chance adds to it, of a metric that adds up distances: those are
    never below nought, so that chance doesn't cancel out.
    """

    values: Floats
    slack: Floats | None = None


class Measured(NamedTuple):
    """A metric of one model on some rows.

    `value` is NaN where the rows don't tell. `cases` are the rows that it is counted among: those called positive for a
    precision, those of the rarer class for an AUC. `rows` [terms, rows] is what each row adds; two models differ on a row where
    these do. `drawn` takes what `block_draws` gives; `bounds` says what a share can be, at a level, for independent rows.
    """

    value: float
    cases: int
    rows: Floats
    drawn: Callable[[Integers, Integers], Drawn]
    bounds: Callable[[float], tuple[float, float]] | None = None


class Compared(NamedTuple):
    """A metric of two models with their intervals, and second less first, higher is better; None where that isn't known."""

    first: Interval | None
    second: Interval | None
    difference: Interval | None


def better(metric: str) -> Better:
    """Say which way a metric is better."""
    return "higher" if metric in _HIGHER else "lower"


def measure(metric: str, labels: Floats, scores: Floats, threshold: float) -> Measured:
    """Measure a metric; labels of a binary task are 0 or 1, and all numbers are finite.

    Raises:
        KeyError: there is no such metric.
    """
    if metric in _SHARES:
        return _share(metric, labels, scores, threshold)
    if metric in _ROW_BY_ROW:
        return _mean(metric, labels, scores)
    return _OTHERS[metric](labels, scores)


def compared(
    metric: str, first: Measured | None, second: Measured | None, block: Integers, taken: Integers, *, level: float
) -> Compared:
    """Put intervals around a metric of two models on the same rows, and around the difference, at a level such as 0.95.

    Args:
        metric: its name.
        first: the one model, None where it wasn't measured.
        second: the other.
        block: the block of each row [rows].
        taken: how often each draw took each block [draws, blocks].
        level: of each interval.
    """
    drawn = [None if one is None else one.drawn(block, taken) for one in (first, second)]
    before, after = (
        None if one is None or draws is None else interval_of(one, draws, level)
        for one, draws in zip((first, second), drawn, strict=True)
    )
    if first is None or second is None or before is None or after is None or drawn[0] is None or drawn[1] is None:
        return Compared(before, after, None)
    sign = 1.0 if better(metric) == "higher" else -1.0
    value = sign * (second.value - first.value)
    if drawn[0].slack is not None:
        # What chance adds isn't the same of both: only intervals that lie apart are sure.
        ends = (sign * (after.low - before.high), sign * (after.high - before.low))
        return Compared(before, after, Interval(value, min(*ends, value), max(*ends, value)))
    difference = _spread(value, sign * (drawn[1].values - drawn[0].values), level)
    if difference is not None and not _is_beyond_chance(differing(first, second), level):
        difference = Interval(value, min(difference.low, 0.0), max(difference.high, 0.0))
    return Compared(before, after, difference)


def interval_of(measured: Measured, drawn: Drawn, level: float) -> Interval | None:
    """Return the value with its interval at a level; None where too few draws gave a number."""
    found = _spread(measured.value, drawn.values, level)
    if found is not None and drawn.slack is not None:
        # By the triangle inequality: distances add up to no more than the true ones and what chance adds.
        return Interval(found.value, max(0.0, found.value - float(np.quantile(drawn.slack, (1 + level) / 2))), found.high)
    if found is None or measured.bounds is None:
        return found
    low, high = measured.bounds(level)
    return Interval(found.value, min(found.low, low), max(found.high, high))


def _spread(value: float, draws: Floats, level: float) -> Interval | None:
    """Put a percentile interval of draws around a value, which lies in it; None when most draws gave no number."""
    usable = draws[np.isfinite(draws)]
    if not np.isfinite(value) or not len(usable) or len(usable) < len(draws) / 2:
        return None
    low, high = (float(end) for end in np.quantile(usable, ((1 - level) / 2, (1 + level) / 2)))
    return Interval(value, min(low, value), max(high, value))


def _is_beyond_chance(rows: int, level: float) -> bool:
    """Say whether so many rows all speak for the same model by less than chance; of a few, draws would be too sure."""
    return math.ldexp(1.0, 1 - min(rows, 1_000)) < 1 - level


def differing(first: Measured, second: Measured) -> int:
    """Count the rows on which two models differ in what the metric counts."""
    return int((first.rows != second.rows).any(axis=0).sum())


def _share(metric: str, labels: Floats, scores: Floats, threshold: float) -> Measured:
    cells = 2 * (labels > 0.5) + (scores >= threshold)
    hits, among = (np.isin(cells, wanted).astype(np.float64) for wanted in _SHARES[metric])
    sums, turned = np.stack([hits, among]), _f1 if metric == "f1" else _same

    def value(totals: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Floats = turned(totals[0] / totals[1])
        return found

    def bounds(level: float) -> tuple[float, float]:
        low, high = wilson(float(hits.sum()), float(among.sum()), level)
        ends: list[float] = turned(np.array([low, high])).tolist()
        return ends[0], ends[1]

    return _of_sums(sums, value, int(among.sum()))._replace(bounds=bounds)


def wilson(hits: float, among: float, level: float) -> tuple[float, float]:
    """Return the bounds of a share (Wilson 1927); `hits` of `among` independent rows have it."""
    if not among:
        return 0.0, 1.0
    z, share = float(stats.norm.ppf((1 + level) / 2)), hits / among
    middle = (share + z * z / (2 * among)) / (1 + z * z / among)
    reach = z / (1 + z * z / among) * float(np.sqrt(share * (1 - share) / among + z * z / (4 * among * among)))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _same(share: Floats) -> Floats:
    return share


def _f1(share: Floats) -> Floats:
    return 2 * share / (1 + share)


def _mean(metric: str, labels: Floats, scores: Floats) -> Measured:
    sums = np.stack([_ROW_BY_ROW[metric](labels, scores), np.ones(len(labels))])

    def value(totals: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            mean: Floats = totals[0] / totals[1]
        return np.sqrt(mean) if metric == "rmse" else mean

    return _of_sums(sums, value, len(labels))


def _r2(labels: Floats, scores: Floats) -> Measured:
    # Around their mean, so that large labels lose no digits when squared.
    centred = labels - labels.mean() if len(labels) else labels
    sums = np.stack([squared_errors(labels, scores), np.square(centred), centred, np.ones(len(labels))])

    def value(totals: Floats) -> Floats:
        errors, squares, sum_, rows = totals
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = squares - np.square(sum_) / rows
            return np.where(spread > 1e-12 * squares, 1 - errors / spread, np.nan)

    return _of_sums(sums, value, len(labels))


def _calibration_error(labels: Floats, scores: Floats) -> Measured:
    """Take the bins of all rows for every draw: those of `calibration_error`, equally many rows each in order of score."""
    bins = np.empty(len(scores), dtype=np.int64)
    order = np.argsort(scores, kind="stable")
    for place, rows in enumerate(np.array_split(order, min(CALIBRATION_BINS, max(1, len(scores))))):
        bins[rows] = place
    gaps = np.where(bins == np.arange(CALIBRATION_BINS)[:, None], labels - scores, 0.0)
    found = gaps.sum(axis=1)[:, None] / len(labels) if len(labels) else np.full((CALIBRATION_BINS, 1), np.nan)

    def drawn(block: Integers, taken: Integers) -> Drawn:
        totals = _totals(np.vstack([gaps, np.ones(len(labels))]), block, taken)
        shares = totals[:-1] / totals[-1]
        return Drawn(np.abs(shares).sum(axis=0), np.abs(shares - found).sum(axis=0))

    return Measured(float(np.abs(found).sum()), len(labels), gaps, drawn)


def _auc(labels: Floats, scores: Floats) -> Measured:
    positives = int((labels > 0.5).sum())

    def drawn(block: Integers, taken: Integers) -> Drawn:
        return Drawn(drawn_aucs(labels, scores, block, taken))

    return Measured(auc(labels, scores), min(positives, len(labels) - positives), scores[None, :], drawn)


_OTHERS: Final[Mapping[str, Callable[[Floats, Floats], Measured]]] = {
    "auc": _auc,
    "calibration_error": _calibration_error,
    "r2": _r2,
}


def _of_sums(rows: Floats, value: Callable[[Floats], Floats], cases: int) -> Measured:
    def drawn(block: Integers, taken: Integers) -> Drawn:
        return Drawn(value(_totals(rows, block, taken)))

    return Measured(float(value(rows.sum(axis=1)[:, None])[0]), cases, rows, drawn)


def _totals(rows: Floats, block: Integers, taken: Integers) -> Floats:
    """Return the sums of each term [terms, rows] over the rows of each draw [terms, draws]."""
    number = taken.shape[1]
    return np.stack([taken @ np.bincount(block, row, number) for row in rows])
