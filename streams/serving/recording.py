"""What is answered while windows are rebuilt elsewhere: it is folded from here, and needn't be read back from the log.

At full load the log grows as fast as one process can read it, so a feed that had to read all of it would hardly catch up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from streams.windows.texts import Texts

MOST_BYTES: Final = 256 << 20
"""What is kept at most; then all is let go, and read from the log after all. A row with two short keys takes about 50."""

_MOST_ROWS: Final = 65_536
"""What is folded at once, unless one batch has more."""


class Answered(NamedTuple):
    """Requests that were answered, as `Feed.fold_own` takes them; without offsets: their task was restored."""

    partition: int
    offsets: Any = ()
    time_ms: Any = ()
    columns: Mapping[str, Any] = {}
    flagged: frozenset[int] = frozenset()

    def after(self, offset: int) -> Answered:
        """Return those behind an offset; columns of texts as such."""
        first = int(np.searchsorted(self.offsets, offset, side="right"))
        columns = {
            name: Texts.of(values[first:]) if isinstance(values, pa.Array) else values[first:]
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
        self.is_whole = True
        """Whether all is here, or was drained, that was answered since it began."""

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
                self.give_up()

    def begin_again(self, partition: int) -> None:
        """Note that a partition's task was restored."""
        if self.is_whole:
            self._kept.append(Answered(partition))

    def give_up(self) -> None:
        """Let go of all, and keep nothing any more."""
        self.is_whole = False
        self._kept.clear()

    def drain(self) -> list[Answered]:
        """Return what is kept, and keep it no more."""
        kept, self._kept, self._bytes = self._kept, [], 0
        return kept


def joined(answered: Iterable[Answered]) -> Iterator[Answered]:
    """Yield the same in few parts: what follows on another in its partition is one, where neither was restored in between."""
    waiting: dict[int, list[Answered]] = {}
    rows: dict[int, int] = {}
    for some in answered:
        partition, count = some.partition, len(some.offsets)
        if count:
            waiting.setdefault(partition, []).append(some)
            rows[partition] = rows.get(partition, 0) + count
        if partition in waiting and (not count or rows[partition] >= _MOST_ROWS):
            yield _in_one(waiting.pop(partition))
            rows[partition] = 0
        if not count:
            yield some
    yield from map(_in_one, waiting.values())


def _in_one(parts: Sequence[Answered]) -> Answered:
    columns = {name: _after_another([part.columns[name] for part in parts]) for name in parts[0].columns}
    starts = np.cumsum([0, *(len(part.offsets) for part in parts)]).tolist()
    flagged = {start + place for start, part in zip(starts, parts, strict=False) for place in part.flagged}
    offsets, times = (np.concatenate(values) for values in zip(*((part.offsets, part.time_ms) for part in parts), strict=True))
    return Answered(parts[0].partition, offsets, times, columns, frozenset(flagged))


def _after_another(values: Sequence[Any]) -> Any:
    return pa.concat_arrays(values) if isinstance(values[0], pa.Array) else np.concatenate(values)


def _compact(values: Any) -> Any:
    return np.array(values) if isinstance(values, np.ndarray) else pa.array(values, pa.string())
