"""What is answered while windows are rebuilt elsewhere: it is folded from here, and needn't be read back from the log.

At full load the log grows as fast as one process can read it, so a feed that had to read all of it would hardly catch up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

MOST_BYTES: Final = 256 << 20
"""What is kept at most; then all is let go, and read from the log after all. A row with two short keys takes about 50."""


class Answered(NamedTuple):
    """Requests that were answered, as `Feed.fold_own` takes them; without offsets: their task was restored."""

    partition: int
    offsets: Any = ()
    time_ms: Any = ()
    columns: Mapping[str, Any] = {}
    flagged: frozenset[int] = frozenset()

    def after(self, offset: int) -> Answered:
        """Return those behind an offset; columns as they were noted, arrays of numbers and lists of texts."""
        first = int(np.searchsorted(self.offsets, offset, side="right"))
        columns = {
            name: values[first:].to_pylist() if isinstance(values, pa.Array) else values[first:]
            for name, values in self.columns.items()
        }
        flagged = frozenset(place - first for place in self.flagged if place >= first)
        return Answered(self.partition, self.offsets[first:], self.time_ms[first:], columns, flagged)


class Recording:
    """Keeps what is answered from now on, in order.

    Args:
        columns: those that the windows read.
        most_bytes: beyond these it gives up.
    """

    def __init__(self, columns: Collection[str], most_bytes: int = MOST_BYTES) -> None:
        self._columns = tuple(columns)
        self._most_bytes = most_bytes
        self._kept: list[Answered] = []
        self._bytes = 0
        self._is_drained = False
        self.is_whole = True
        """Whether all is here, or was drained, that was answered since it began."""
        self._is_too_much = False
        self.interrupted: set[int] = set()
        """The partitions whose tasks were restored since."""
        self.skipped: set[int] = set()
        """The partitions of which something in the log was left out, because all of it was here."""

    def note(
        self, partition: int, offsets: Sequence[int], time_ms: Sequence[int], columns: Mapping[str, Any], flagged: Collection[int]
    ) -> None:
        """Keep a batch; see `Feed.fold_own`."""
        if self.is_whole:
            # As arrays: Python's objects take six times as much.
            kept = {name: _compact(columns[name]) for name in self._columns}
            times, numbers = np.asarray(time_ms, np.int64), np.asarray(offsets, np.int64)
            self._kept.append(Answered(partition, numbers, times, kept, frozenset(flagged)))
            self._bytes += numbers.nbytes + times.nbytes + sum(values.nbytes for values in kept.values())
            if self._bytes > self._most_bytes:
                self._is_too_much |= self._is_drained
                self.give_up()

    def begin_again(self, partition: int) -> None:
        """Note that a partition's task was restored."""
        self.interrupted.add(partition)
        if self.is_whole:
            self._kept.append(Answered(partition))

    def give_up(self) -> None:
        """Let go of all, and keep nothing any more."""
        self.is_whole = False
        self._kept.clear()

    def drain(self) -> list[Answered]:
        """Return what is kept, and keep it no more."""
        self._is_drained = True
        kept, self._kept, self._bytes = self._kept, [], 0
        return kept

    @property
    def is_lost(self) -> bool:
        """Whether who folded it knows too little.

        Some was folded and then what followed became too much, or another process answered where the log wasn't read.
        """
        return self._is_too_much or bool(self.skipped & self.interrupted)


def _compact(values: Any) -> Any:
    return np.array(values) if isinstance(values, np.ndarray) else pa.array(values, pa.string())
