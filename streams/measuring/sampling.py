"""A fair sample of rows that doesn't depend on partitions, order or restarts: those with the smallest keyed hashes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Row = dict[str, float | str | None]

_KEY = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def position_hashes(partition: int, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Hash source positions to [0, 2^53): SplitMix64 (Steele, Lea and Flood 2014) on partition and offset.

    53 bits, because the sample travels as JSON and other readers keep numbers as doubles.
    """
    with np.errstate(over="ignore"):
        mixed = offsets.astype(np.uint64) + (np.uint64(partition + 1) << np.uint64(48)) + _KEY
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
        mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.int64)


class BottomK:
    """The `size` rows of smallest hash seen so far."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._rows: list[tuple[int, Row]] = []

    def add(self, hashes: npt.NDArray[np.int64], row_at: Callable[[int], Row]) -> None:
        """Add rows by their hashes [n]; `row_at(i)` is called only for those that get in."""
        if self._size == 0:
            return
        limit = self._rows[-1][0] if len(self._rows) >= self._size else np.iinfo(np.int64).max
        candidates = np.flatnonzero(hashes < limit)
        if len(candidates) > self._size:
            candidates = candidates[np.argpartition(hashes[candidates], self._size - 1)[: self._size]]
        if len(candidates) == 0:
            return
        self._rows += [(int(hashes[i]), row_at(int(i))) for i in candidates.tolist()]
        self._rows.sort(key=_hash_of)
        del self._rows[self._size :]

    @property
    def rows(self) -> list[tuple[int, Row]]:
        """Hash and row, smallest hashes first."""
        return self._rows


def merge_samples(samples: Sequence[Sequence[tuple[int, Row]]], size: int) -> list[tuple[int, Row]]:
    """Merge partitions' samples into one of the whole."""
    return sorted((row for sample in samples for row in sample), key=_hash_of)[:size]


def _hash_of(row: tuple[int, Any]) -> int:
    return row[0]
