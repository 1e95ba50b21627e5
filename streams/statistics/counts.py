"""Counting columns on a reference's bins and categories, for many groups of rows at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streams.contracts.bundle import CategoryProfile, NumberProfile
from streams.contracts.summaries import CategoryCounts, NumberCounts

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def count_numbers(profile: NumberProfile, values: Floats, groups: Integers, number: int) -> list[NumberCounts]:
    """Count values [n] on a reference's bins, for each of `number` groups; a value equal to an edge falls right of it.

    Args:
        profile: the reference.
        values: NaN is missing.
        groups: which group each value belongs to [n].
        number: of groups.
    """
    known = ~np.isnan(values)
    kept, of = values[known], groups[known]
    width = len(profile.edges) + 1
    bins = np.bincount(of * width + np.searchsorted(profile.edges, kept, side="right"), minlength=number * width)
    is_open = profile.low > profile.high
    low = np.bincount(of[kept < profile.low], minlength=number) if not is_open else np.zeros(number, np.int64)
    high = np.bincount(of[kept > profile.high], minlength=number) if not is_open else np.zeros(number, np.int64)
    missing = np.bincount(groups[~known], minlength=number)
    rows = zip(bins.reshape(number, width).tolist(), missing.tolist(), low.tolist(), high.tolist(), strict=True)
    return [NumberCounts(bins=one, missing=absent, low=below, high=above) for one, absent, below, above in rows]


def count_categories(
    profile: CategoryProfile, values: Sequence[str | None], groups: Integers, number: int
) -> list[CategoryCounts]:
    """Count the categories [n] of a reference for each of `number` groups; null and the empty string are missing."""
    names = list(profile.shares)
    codes = {name: code for code, name in enumerate(names)}
    unseen, missing = len(names), len(names) + 1
    code = np.array([missing if not value else codes.get(value, unseen) for value in values], np.int64)
    width = len(names) + 2
    table = np.bincount(groups * width + code, minlength=number * width).reshape(number, width)
    return [
        CategoryCounts(counts=dict(zip(names, row, strict=False)), unseen=row[unseen], missing=row[missing])
        for row in table.tolist()
    ]
