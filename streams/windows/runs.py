"""Sorted runs of facts: few, each much larger than the next, as in a log-structured merge tree."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Final

import numpy as np

from streams.windows.facts import END_MS, TIME_BITS, Floats, Integers
from streams.windows.sums import RangeSums

_RATIO: Final = 8
_SMALL: Final = 1_024
_PENDING: Final = 65_536


def places(codes: Integers, time_ms: Integers) -> Integers:
    """Return where (key, time) sorts: the key's code above the time's `TIME_BITS` bits."""
    return (codes << TIME_BITS) | time_ms


class Run:
    """Facts sorted by (key, time), never changed.

    Args:
        at: places, ascending, shape (facts,).
        values: one row per column, NaN where missing, shape (columns, facts).
    """

    def __init__(self, at: Integers, values: Floats) -> None:
        self.at = at
        self.values = values

    def __len__(self) -> int:
        return len(self.at)

    @cached_property
    def sums(self) -> list[RangeSums]:
        """Per column, sums over ranges of this run; made on first read, as most runs are merged before."""
        return [RangeSums(np.nan_to_num(column, nan=0.0)) for column in self.values]

    @cached_property
    def present(self) -> Integers:
        """Per column, how many values before each place aren't missing; shape (columns, facts + 1)."""
        counts = np.zeros((len(self.values), len(self.at) + 1), dtype=np.int64)
        np.cumsum(~np.isnan(self.values), axis=1, out=counts[:, 1:])
        return counts

    def merged(self, other: Run) -> Run:
        """Return both in one; O(n)."""
        where = np.searchsorted(self.at, other.at, side="right") + np.arange(len(other))
        ours = np.ones(len(self) + len(other), dtype=bool)
        ours[where] = False
        at = np.empty(len(ours), dtype=np.int64)
        at[where], at[ours] = other.at, self.at
        values = np.empty((len(self.values), len(ours)))
        values[:, where], values[:, ours] = other.values, self.values
        return Run(at, values)

    def since(self, floor_ms: int) -> Run:
        """Return the facts at or after `floor_ms`."""
        kept = (self.at & END_MS) >= floor_ms
        return self if kept.all() else Run(self.at[kept], self.values[:, kept])


class Runs:
    """All facts of one (source, keys) pair.

    New facts wait unsorted until the next read, then become a run; a run is merged into the one below it unless that is more
    than 8 times larger. So a read searches O(log n) runs and a fact is moved O(log n) times. Memory per fact: 8 bytes and,
    for each value column, about 25 (value, sums, count of present values), plus its share of the largest merge.
    """

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._runs: list[Run] = []
        self._pending: list[tuple[Integers, Floats]] = []
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting + sum(map(len, self._runs))

    def add(self, at: Integers, values: Floats) -> None:
        """Take facts in any order: places of shape (facts,), values of shape (columns, facts)."""
        if len(at):
            self._pending.append((at, values))
            self._waiting += len(at)
        if self._waiting >= _PENDING:
            self._settle()

    def settled(self) -> list[Run]:
        """Return the runs that hold every fact added so far."""
        if self._waiting:
            self._settle()
        return self._runs

    def evict(self, floor_ms: int) -> None:
        """Drop the facts before `floor_ms`."""
        kept = [run.since(floor_ms) for run in self.settled()]
        self._runs = []
        for run in kept:
            self._push(run)

    def codes(self) -> Iterable[Integers]:
        """Yield the key codes in use, with repetitions."""
        for run in self.settled():
            yield run.at >> TIME_BITS

    def _settle(self) -> None:
        at = np.concatenate([places_ for places_, _ in self._pending])
        values = np.concatenate([values for _, values in self._pending], axis=1)
        self._pending, self._waiting = [], 0
        order = np.argsort(at, kind="stable")
        self._push(Run(at[order], values[:, order]))

    def _push(self, run: Run) -> None:
        while self._runs and len(self._runs[-1]) <= max(_RATIO * len(run), _SMALL):
            run = self._runs.pop().merged(run)
        if len(run):
            self._runs.append(run)
