"""Broken inputs: more values missing, out of the reference's range or in unseen categories than before, or all the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from streams.contracts.bundle import Profile
from streams.contracts.summaries import CategoryCounts, InputSummary, NumberCounts
from streams.detectors._contrasts import share_level
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, Stateless, nothing

MISSING, OUT_OF_RANGE, UNSEEN, CONSTANT = "missing", "out of range", "unseen category", "constant"

# No alarm needs a larger deviation.
_FARTHEST = 12.0


class _Rate(NamedTuple):
    column: str
    aspect: str
    share: float
    """What is to be expected of new rows."""


class _Column(NamedTuple):
    name: str
    alike: float
    """Largest share of rows that may have one value in the reference: that of its largest bin or category."""


class InputsQuality(Stateless):
    """Follows the share of bad values of each column, and whether all its values are one.

    A share of 0 in a finite reference is no proof of 0, so each expectation counts half a row more than the reference has.
    Beyond its extremes as many new values are to be expected as the reference has extremes: all are draws from one population.
    That all values of a bucket are one is as improbable as each of them being the most frequent one.
    """

    def __init__(self, setup: Setup) -> None:
        profile, kind, unit = setup.profile, "data_quality", "share of rows"
        self._rates, self._columns = list(_rates(profile)), list(_columns(profile))
        self._shares = np.array([rate.share for rate in self._rates])
        floor, rows = setup.floors.share, profile.rows
        self.signals: Sequence[Signal] = [
            *(Signal(kind, one.column, one.aspect, unit, floor, rows, share=one.share, rises_only=True) for one in self._rates),
            *(Signal(kind, one.name, CONSTANT, unit, 0.5, 1.0, scale=0.0, rises_only=True) for one in self._columns),
        ]

    def read(self, view: BucketView) -> Readings:
        """Read the counts of all columns."""
        if view.inputs is None:
            return nothing(len(self.signals))
        found = np.array([_hits(rate, view.inputs) for rate in self._rates], np.float64).reshape(-1, 2)
        hits, rows = found[:, 0], found[:, 1]
        effect = np.where(rows > 0, hits / np.maximum(rows, 1) - self._shares, np.nan)
        rates = Readings(share_level(hits, rows, self._shares), rows, effect)
        alike = _constant(self._columns, view.inputs)
        return Readings(*(np.concatenate(parts) for parts in zip(rates, alike, strict=True)))

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the share of bad values."""
        if index >= len(self._rates):
            column = self._columns[index - len(self._rates)]
            return _sketch_constant(column.name, [view.inputs for view in views if view.inputs is not None])
        rate = self._rates[index]
        found = np.sum([_hits(rate, view.inputs) for view in views if view.inputs is not None] or [(0, 0)], axis=0)
        return Sketch({"share": rate.share}, {"share": float(found[0]) / max(float(found[1]), 1.0), "rows": float(found[1])})


def _rates(profile: Profile) -> Iterator[_Rate]:
    for name, number in profile.numbers.items():
        yield _Rate(name, MISSING, _expected(number.missing, profile.rows))
        yield _Rate(name, OUT_OF_RANGE, min(2.0 / (profile.rows * (1 - number.missing) + 1.0), 1.0))
    for name, category in profile.categories.items():
        known = profile.rows * (1 - category.missing)
        yield _Rate(name, MISSING, _expected(category.missing, profile.rows))
        yield _Rate(name, UNSEEN, _expected(max(1.0 - sum(category.shares.values()), 0.0), known))


def _columns(profile: Profile) -> Iterator[_Column]:
    for name, number in profile.numbers.items():
        if 0 < max(number.shares) < 1:
            yield _Column(name, max(number.shares))
    for name, category in profile.categories.items():
        if 0 < max(category.shares.values(), default=0.0) < 1:
            yield _Column(name, max(category.shares.values()))


def _constant(columns: Sequence[_Column], inputs: InputSummary) -> Readings:
    """One look at each column of a bucket: 0 where values differ, else the normal deviation of the chance that they don't."""
    found = [_alike(inputs, column.name) for column in columns]
    rows = np.array([known for known, _ in found], np.float64)
    is_constant = np.array([is_one for _, is_one in found], bool)
    chance = np.array([column.alike for column in columns]) ** np.maximum(rows - 1, 0)
    with np.errstate(divide="ignore"):
        far = np.clip(stats.norm.isf(chance), 0.0, _FARTHEST)
    level = np.where(rows > 0, np.where(is_constant, far, 0.0), np.nan)
    return Readings(level, (rows > 0).astype(np.float64), np.where(rows > 0, is_constant.astype(np.float64), np.nan))


def _alike(inputs: InputSummary, column: str) -> tuple[int, bool]:
    """Known values of a column, and whether all are one."""
    counts = inputs.numbers.get(column) or inputs.categories.get(column)
    if counts is None:
        return 0, False
    if isinstance(counts, NumberCounts):
        return sum(counts.bins), counts.least is not None and counts.least == counts.most
    known = sum(counts.counts.values()) + counts.unseen
    return known, max(counts.counts.values(), default=0) == known > 0


def _sketch_constant(column: str, many: Sequence[InputSummary]) -> Sketch:
    """Show the value, where it is a number."""
    found = [inputs.numbers[column] for inputs in many if column in inputs.numbers]
    values = {"value": found[-1].least} if found and found[-1].least is not None else {}
    return Sketch({}, {**values, "buckets": float(len(many))})


def _expected(share: float, rows: float) -> float:
    return min((share * rows + 0.5) / (rows + 1.0), 1.0)


def _hits(rate: _Rate, inputs: InputSummary) -> tuple[int, int]:
    """Bad values and values of a column."""
    counts = inputs.numbers.get(rate.column) or inputs.categories.get(rate.column)
    if counts is None:
        return 0, 0
    if isinstance(counts, NumberCounts):
        known = sum(counts.bins)
        return (counts.missing, known + counts.missing) if rate.aspect == MISSING else (counts.low + counts.high, known)
    return _category_hits(rate.aspect, counts)


def _category_hits(aspect: str, counts: CategoryCounts) -> tuple[int, int]:
    known = sum(counts.counts.values()) + counts.unseen
    return (counts.missing, known + counts.missing) if aspect == MISSING else (counts.unseen, known)


def open_detector(setup: Setup) -> InputsQuality:
    """Open it."""
    return InputsQuality(setup)
