"""Sorted runs of facts: few, each much larger than the next, as in a log-structured merge tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Final

import numpy as np

from streams.windows.facts import END_MS, TIME_BITS, Floats, Integers

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
        origin_ms: since when `elapsed` counts, the same for all runs that are read together.
        floor_ms: before which it holds no facts, as far as is known.
    """

    def __init__(self, at: Integers, values: Floats, origin_ms: int, floor_ms: int = 0) -> None:
        self.at = at
        self.values = values
        self.origin_ms = origin_ms
        self.floor_ms = floor_ms
        self._made: dict[tuple[str, int], Any] = {}

    def __len__(self) -> int:
        return len(self.at)

    def times(self) -> Integers:
        """The facts' times, shape (facts,)."""
        return self.at & END_MS

    def times_at(self, places: Integers) -> Integers:
        """The times of some facts, by their index; shape (places,)."""
        return self.at[places] & END_MS

    def elapsed(self) -> Floats:
        """The facts' times in ms since the origin, shape (facts,)."""
        return (self.times() - self.origin_ms).astype(np.float64)

    def made(self, what: str, column: int, make: Callable[[], Any]) -> Any:
        """Return what was made of a column; make it on first read, as most runs are merged before."""
        if (what, column) not in self._made:
            self._made[what, column] = make()
        return self._made[what, column]

    def merged(self, other: Run) -> Run:
        """Return both in one; O(n)."""
        where = np.searchsorted(self.at, other.at, side="right") + np.arange(len(other))
        ours = np.ones(len(self) + len(other), dtype=bool)
        ours[where] = False
        at = np.empty(len(ours), dtype=np.int64)
        at[where], at[ours] = other.at, self.at
        values = np.empty((len(self.values), len(ours)))
        values[:, where], values[:, ours] = other.values, self.values
        return Run(at, values, self.origin_ms, min(self.floor_ms, other.floor_ms))

    def since(self, floor_ms: int) -> Run:
        """Return the facts at or after `floor_ms`."""
        kept = (self.at & END_MS) >= floor_ms
        if not kept.all():
            return Run(self.at[kept], self.values[:, kept], self.origin_ms, floor_ms)
        self.floor_ms = max(self.floor_ms, floor_ms)
        return self


class Runs:
    """All facts of one (source, keys) pair.

    New facts wait unsorted until the next read, then become a run; a run is merged into the one below it unless that is more
    than 8 times larger. So a read searches O(log n) runs and a fact is moved O(log n) times. Memory per fact: 8 bytes and,
    for each value column, 8 for the value and what its aggregates make of it (see `ranges`), plus its share of the largest merge.

    Attributes:
        most_at_once: facts that are merged or swept at once; more of them wait for someone to ask what is `due`, and until then
            reads search more runs, and more is held. None: all is done at once.
    """

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._runs: list[Run] = []
        self._pending: list[tuple[Integers, Floats]] = []
        self._waiting = 0
        self._origin_ms: int | None = None
        self.most_at_once: int | None = None
        self._floor_ms = 0
        self._busy: tuple[Run, ...] = ()

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

    def restore(self, runs: Sequence[Run]) -> None:
        """Hold these runs, which `settled` returned, and nothing else."""
        self._runs, self._pending, self._waiting = list(runs), [], 0
        self._origin_ms = runs[0].origin_ms if runs else None

    def evict(self, floor_ms: int) -> None:
        """Drop the facts before `floor_ms`."""
        self._floor_ms = floor_ms
        kept = [run.since(floor_ms) if self._is_quick(len(run)) else run for run in self.settled()]
        self._runs = []
        for run in kept:
            self._push(run)

    def due(self) -> tuple[tuple[Run, ...], Callable[[], Run]] | None:
        """Return neighbours that are to become one, which stay as they are until `replace`, and what makes it; None for none."""
        floor_ms = self._floor_ms
        for run in self._runs:
            if run.floor_ms < floor_ms and not self._is_quick(len(run)):
                self._busy = (run,)
                return self._busy, partial(run.since, floor_ms)
        for below, above in pairwise(self._runs):
            if _is_near(below, above):
                self._busy = (below, above)
                return self._busy, partial(below.merged, above)
        return None

    def replace(self, old: tuple[Run, ...], made: Run) -> None:
        """Put what neighbours became in their place; nothing if they aren't there any more."""
        self._busy = ()
        for place in range(len(self._runs) - len(old) + 1):
            if all(one is other for one, other in zip(self._runs[place:], old, strict=False)):
                self._runs[place : place + len(old)] = [made] if len(made) else []
                return

    def codes(self) -> Iterable[Integers]:
        """Yield the key codes in use, with repetitions."""
        for run in self.settled():
            yield run.at >> TIME_BITS

    def _settle(self) -> None:
        at = np.concatenate([places_ for places_, _ in self._pending])
        values = np.concatenate([values for _, values in self._pending], axis=1)
        self._pending, self._waiting = [], 0
        order = np.argsort(at, kind="stable")
        if self._origin_ms is None:
            self._origin_ms = int(at[0] & END_MS)
        self._push(Run(at[order], values[:, order], self._origin_ms, self._floor_ms))

    def _push(self, run: Run) -> None:
        while self._runs and _is_near(self._runs[-1], run) and self._is_free(self._runs[-1], run):
            run = self._runs.pop().merged(run)
        if len(run):
            self._runs.append(run)

    def _is_free(self, below: Run, run: Run) -> bool:
        return self._is_quick(len(below) + len(run)) and not any(below is one for one in self._busy)

    def _is_quick(self, facts: int) -> bool:
        return self.most_at_once is None or facts <= self.most_at_once


def _is_near(below: Run, above: Run) -> bool:
    return len(below) <= max(_RATIO * len(above), _SMALL)
