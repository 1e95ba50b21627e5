"""What is answered while windows are rebuilt elsewhere: it is folded from here, and needn't be read back from the log.

At full load the log grows as fast as one process can read it, so a feed that had to read all of it would hardly catch up.
"""

from __future__ import annotations

import bisect
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

MOST_ROWS: Final = 3_000_000
"""What is kept at most, about 50 bytes a row; then all is let go, and read from the log after all."""


class Answered(NamedTuple):
    """Requests that were answered, as `Feed.fold_own` takes them; without offsets: their task was restored."""

    partition: int
    offsets: Sequence[int] = ()
    time_ms: Any = ()
    columns: Mapping[str, Any] = {}
    flagged: frozenset[int] = frozenset()

    def after(self, offset: int) -> Answered:
        """Return those behind an offset; columns as they were noted, arrays of numbers and lists of texts."""
        first = bisect.bisect_right(self.offsets, offset)
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
        most_rows: beyond these it gives up.
    """

    def __init__(self, columns: Collection[str], most_rows: int = MOST_ROWS) -> None:
        self._columns = tuple(columns)
        self._most_rows = most_rows
        self._kept: list[Answered] = []
        self._rows = 0
        self._is_drained = False
        self.is_whole = True
        """Whether all is here, or was drained, that was answered since it began."""
        self.is_lost = False
        """Whether some of it was folded, and then what followed became too much: who folded it knows too little."""
        self.interrupted: set[int] = set()
        """The partitions whose tasks were restored since."""

    def note(
        self, partition: int, offsets: Sequence[int], time_ms: Sequence[int], columns: Mapping[str, Any], flagged: Collection[int]
    ) -> None:
        """Keep a batch; see `Feed.fold_own`."""
        if self._rows + len(offsets) > self._most_rows:
            self.is_lost |= self._is_drained
            self.give_up()
        if self.is_whole:
            # As arrays: of texts, Python's objects take six times as much.
            kept = {name: _compact(columns[name]) for name in self._columns}
            times = np.asarray(time_ms, np.int64)
            self._kept.append(Answered(partition, tuple(offsets), times, kept, frozenset(flagged)))
            self._rows += len(offsets)

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
        kept, self._kept, self._rows = self._kept, [], 0
        return kept


def _compact(values: Any) -> Any:
    return np.array(values) if isinstance(values, np.ndarray) else pa.array(values, pa.string())
