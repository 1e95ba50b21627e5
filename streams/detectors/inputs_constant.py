"""Broken inputs: columns all of whose values are one, though they weren't before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from streams.contracts.bundle import Profile
from streams.contracts.summaries import InputSummary, NumberCounts
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, Stateless, nothing

# No alarm needs a larger deviation.
_FARTHEST = 12.0


class _Column(NamedTuple):
    name: str
    alike: float
    """Largest share of rows that may have one value in the reference: that of its largest bin or category."""


class InputsConstant(Stateless):
    """Follows whether all values of a column are one.

    That all of a bucket's are is as improbable as each of them being the most frequent value of the reference.
    """

    def __init__(self, setup: Setup) -> None:
        self._columns = list(_columns(setup.profile))
        self.signals: Sequence[Signal] = [
            Signal("data_quality", column.name, "constant", "share of rows", 0.5, 1.0, scale=0.0, rises_only=True)
            for column in self._columns
        ]

    def read(self, view: BucketView) -> Readings:
        """Read the extremes of numbers and the counts of categories."""
        return _constant(self._columns, view.inputs) if view.inputs is not None else nothing(len(self.signals))

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the value, where it is a number."""
        return _sketch_constant(self._columns[index].name, [view.inputs for view in views if view.inputs is not None])


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


def open_detector(setup: Setup) -> InputsConstant:
    """Open it."""
    return InputsConstant(setup)
