"""The newest values of a range: what `last`, `lag` and `since` read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from streams.windows.facts import Floats, Integers

NONE = -1


class Newest(NamedTuple):
    """The newest times (`NONE` where there is none) and their values, both of shape (many, ranges)."""

    times: Integers
    values: Floats


class Latest:
    """The values of sorted facts by distinct times; of several at one time the largest.

    Args:
        at: places in order, shape (facts,).
        times: shape (facts,).
        values: NaN where missing, shape (facts,).
    """

    def __init__(self, at: Integers, times: Integers, values: Floats) -> None:
        present = ~np.isnan(values)
        is_first = present.copy()
        kept = np.flatnonzero(present)
        is_first[kept] = np.diff(at[kept], prepend=-1) > 0
        firsts = np.flatnonzero(is_first)
        self._times = times[firsts]
        self._values = np.maximum.reduceat(np.where(present, values, -np.inf), firsts) if len(firsts) else np.zeros(0)
        self._before = np.zeros(len(at) + 1, dtype=np.int64)
        np.cumsum(is_first, out=self._before[1:])

    def between(self, start: Integers, stop: Integers, many: int) -> Newest:
        """Return the newest `many` of each [start, stop), which no time lies across; shape (ranges,) both."""
        index = self._before[stop] - 1 - np.arange(many)[:, None]
        inside = index >= self._before[start]
        if not len(self._times):
            return Newest(np.full(index.shape, NONE), np.full(index.shape, np.nan))
        index = np.where(inside, index, 0)
        return Newest(np.where(inside, self._times[index], NONE), np.where(inside, self._values[index], np.nan))


def nth_newest(found: Newest, back: int) -> tuple[Integers, Floats]:
    """Return the `back`-th newest distinct time and its largest value, each of shape (ranges,); `NONE` and NaN for none."""
    newest = found.times.max(axis=0)
    for _ in range(back - 1):
        newest = np.where(found.times < newest, found.times, NONE).max(axis=0)
    here = (found.times == newest) & (newest != NONE)
    values = np.where(here, found.values, -np.inf).max(axis=0)
    return newest, np.where(newest == NONE, np.nan, values)
