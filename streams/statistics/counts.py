"""Counting columns on a reference's bins and categories, for many groups of rows at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streams.contracts.bundle import CategoryProfile, NumberProfile
from streams.contracts.summaries import CategoryCounts, NumberCounts

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class NumberTable:
    """Counts numbers: on the bins of a reference, missing, below and above its range. An edge's value falls right of it."""

    def __init__(self, profile: NumberProfile) -> None:
        self._edges = np.asarray(profile.edges, np.float64)
        is_open = profile.low > profile.high  # a column that was always missing has no range
        self._range = (-np.inf, np.inf) if is_open else (profile.low, profile.high)
        self.width = len(self._edges) + 4
        """Cells of a group."""

    def count(self, values: Floats, groups: Integers, number: int) -> Integers:
        """Count values [n], NaN is missing, of groups [n] between 0 and `number`; returns [number, width]."""
        known = ~np.isnan(values)
        kept, of = values[known], groups[known]
        bins = len(self._edges) + 1
        table = np.zeros((number, self.width), np.int64)
        cells = of * bins + np.searchsorted(self._edges, kept, side="right")
        table[:, :bins] = np.bincount(cells, minlength=number * bins).reshape(number, bins)
        beside = (groups[~known], of[kept < self._range[0]], of[kept > self._range[1]])
        for column, found in enumerate(beside, bins):
            if len(found):
                table[:, column] = np.bincount(found, minlength=number)
        return table

    def counts(self, row: Integers, extremes: tuple[float, float]) -> NumberCounts:
        """Return one group's row of the table and its extremes as what travels."""
        *bins, missing, low, high = row.tolist()
        least, most = extremes if extremes[0] <= extremes[1] else (None, None)
        return NumberCounts(bins=bins, missing=missing, low=low, high=high, least=least, most=most)


NO_VALUES = (math.inf, -math.inf)
"""The extremes of no values."""


def extremes_of(values: Floats, groups: Integers, number: int) -> list[tuple[float, float]]:
    """Return the least and the greatest known value of each group; `NO_VALUES` of a group without one."""
    least, most = np.full(number, np.inf), np.full(number, -np.inf)
    np.fmin.at(least, groups, values)
    np.fmax.at(most, groups, values)
    return list(zip(least.tolist(), most.tolist(), strict=True))


class CategoryTable:
    """Counts categories: those of a reference, all others as unseen, null and the empty string as missing."""

    def __init__(self, profile: CategoryProfile) -> None:
        self._names = list(profile.shares)
        self._unseen, missing = len(self._names), len(self._names) + 1
        self._codes: dict[str | None, int] = {name: code for code, name in enumerate(self._names)}
        self._codes |= {None: missing, "": missing}
        self.width = len(self._names) + 2
        """Cells of a group."""

    def count(self, values: Sequence[str | None], groups: Integers, number: int) -> Integers:
        """Count values [n] of groups [n] between 0 and `number`; returns [number, width]."""
        codes, unseen = self._codes, self._unseen
        cells = groups * self.width + np.array([codes.get(value, unseen) for value in values], np.int64)
        return np.bincount(cells, minlength=number * self.width).reshape(number, self.width)

    def counts(self, row: Integers) -> CategoryCounts:
        """Return one group's row of the table as what travels."""
        *known, unseen, missing = row.tolist()
        return CategoryCounts(counts=dict(zip(self._names, known, strict=True)), unseen=unseen, missing=missing)


def count_numbers(profile: NumberProfile, values: Floats, groups: Integers, number: int) -> list[NumberCounts]:
    """Count values [n] on a reference's bins, for each of `number` groups; see `NumberTable`."""
    table, extremes = NumberTable(profile), extremes_of(values, groups, number)
    return [table.counts(row, one) for row, one in zip(table.count(values, groups, number), extremes, strict=True)]


def count_categories(
    profile: CategoryProfile, values: Sequence[str | None], groups: Integers, number: int
) -> list[CategoryCounts]:
    """Count the categories [n] of a reference for each of `number` groups; see `CategoryTable`."""
    table = CategoryTable(profile)
    return [table.counts(row) for row in table.count(values, groups, number)]
