"""Numbers that come in another unit: a column's values look multiplied."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streams.contracts.bundle import NumberProfile
from streams.contracts.summaries import NumberCounts
from streams.detectors.base import BucketView, Floats, Readings, Setup, Signal, Sketch, Stateless, nothing

FACTORS = (10.0, 100.0, 1_000.0, 1e6, 60.0, 3_600.0, 24.0, 2.54, 0.3048, 0.45359237, 3.785411784)
"""What units are multiples of: powers of ten, times, and inches, feet, pounds and gallons in metric units."""

# As near to a factor a median must come to be taken for a multiple by it: a fifth, in powers of ten.
_NEAR = math.log10(1.2)
# How far around the median the density is taken, as a share of rows; the density of less would be the chance of a bin or two.
_AROUND = 0.1
# A row's deviation is at least this, in powers of ten: the median of values that most rows have doesn't vary by chance.
_LEAST = 0.05


class _Column(NamedTuple):
    name: str
    sign: float
    edges: Floats
    """Of the reference's bins from its smallest to its greatest value, as powers of ten of the values' sizes, rising."""

    median: float
    deviation: float
    """Of a row's part in the median, in powers of ten."""


class InputsUnit(Stateless):
    """Follows how large the median of each declared number is, in powers of ten, where all values of the reference have one sign.

    A median's deviation is half the slope of the quantiles about it over the root of the rows (the delta method: van der Vaart,
    A. W. (1998), Asymptotic Statistics, section 21.2). A median beyond the reference's range is looked for where the reference's
    own lies between its extremes. Values that lie further outside than serving's `range_factor` allows make their rows suspect,
    and in no distribution: `inputs_suspect` follows those. What is added to (degrees Celsius to Fahrenheit) isn't looked for.
    """

    def __init__(self, setup: Setup) -> None:
        declared = set(setup.manifest.schema.numbers)
        profiles = {name: one for name, one in setup.profile.numbers.items() if name in declared}
        self._columns = [column for name, profile in profiles.items() if (column := _column(name, profile)) is not None]
        self.signals: Sequence[Signal] = [
            Signal(
                "data_quality",
                column.name,
                "unit",
                "powers of ten",
                setup.floors.unit,
                setup.profile.rows * (1 - profiles[column.name].missing),
                scale=column.deviation,
            )
            for column in self._columns
        ]

    def read(self, view: BucketView) -> Readings:
        """Read the counts of all columns."""
        if view.inputs is None:
            return nothing(len(self.signals))
        counts = [view.inputs.numbers.get(column.name) for column in self._columns]
        median = np.array([_median(*pair) for pair in zip(self._columns, counts, strict=True)])
        rows = np.array([float(sum(one.bins)) if one is not None else 0.0 for one in counts])
        effect = median - np.array([column.median for column in self._columns])
        level = effect / np.array([column.deviation for column in self._columns])
        return Readings(level, np.where(np.isnan(level), 0.0, rows), effect)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the medians, by what the values look multiplied, and the change of unit that would do that."""
        column = self._columns[index]
        counts = [view.inputs.numbers.get(column.name) for view in views if view.inputs is not None]
        found = [median for one in counts if not math.isnan(median := _median(column, one))]
        if not found:
            return Sketch({"median": column.sign * 10**column.median}, {"buckets": 0.0})
        median = float(np.median(found))
        after = {"median": column.sign * 10**median, "factor": 10 ** (median - column.median)}
        unit = likely(median - column.median)
        return Sketch({"median": column.sign * 10**column.median}, after if unit is None else {**after, "likely factor": unit})


def likely(powers: float) -> float | None:
    """Return the change of unit that is nearest to a factor, given in powers of ten; None where none is near."""
    factors = [factor**way for factor in FACTORS for way in (1, -1)]
    nearest = min(factors, key=lambda factor: abs(math.log10(factor) - powers))
    return nearest if abs(math.log10(nearest) - powers) <= _NEAR else None


def _column(name: str, profile: NumberProfile) -> _Column | None:
    """Describe a column; None where its values have both signs, are near 0, or are all the same."""
    if not profile.low * profile.high > 0 or not profile.low < profile.high:
        return None
    sign = math.copysign(1.0, profile.low)
    sizes = np.abs(np.r_[profile.low, profile.edges, profile.high])
    edges = np.log10(sizes if sign > 0 else sizes[::-1])
    shares = np.asarray(profile.shares if sign > 0 else profile.shares[::-1])
    below, median, above = (_quantile(edges, shares, at) for at in (0.5 - _AROUND, 0.5, 0.5 + _AROUND))
    slope = (above - below) / (2 * _AROUND)
    return _Column(name, sign, edges, median, max(slope / 2, _LEAST))


def _median(column: _Column, counts: NumberCounts | None) -> float:
    """Return the power of ten of the median's size; NaN where there is none, or it may have another sign."""
    if counts is None or not sum(counts.bins):
        return math.nan
    inside = np.array(counts.bins, np.float64)
    rows = inside.sum()
    inside[0] -= counts.low
    inside[-1] -= counts.high
    below, beyond = counts.low, counts.high
    if column.sign < 0:
        inside, below, beyond = inside[::-1], counts.high, counts.low
    if 2 * max(below, beyond) > rows:
        return _outside(column, counts, is_above=beyond > below)
    return _quantile(column.edges, inside, rows / 2 - below)


def _outside(column: _Column, counts: NumberCounts, *, is_above: bool) -> float:
    """Return where the median of values lies that are mostly outside of the reference's range, as far as their extremes tell."""
    if counts.least is None or counts.most is None:
        return math.nan
    least, most = sorted((column.sign * counts.least, column.sign * counts.most))
    low, high = float(column.edges[0]), float(column.edges[-1])
    if most <= 0 or (least <= 0 and not is_above):
        return math.nan
    begin, end = math.log10(least) if least > 0 else low, math.log10(most)
    found = begin + (column.median - low) / (high - low) * (end - begin)
    return max(found, high) if is_above else min(found, low)


def _quantile(edges: Floats, counts: Floats, at: float) -> float:
    """Return the value below which so many of the counted lie, evenly spread in each bin."""
    below = np.r_[0.0, np.cumsum(counts)]
    # Equal counts have no inverse; a hair's breadth makes them rise.
    return float(np.interp(at, below + np.arange(len(below)) * 1e-9, edges))


def open_detector(setup: Setup) -> InputsUnit:
    """Open it."""
    return InputsUnit(setup)
