"""How many rows say the same: a mergeable sketch of the contents of rows, with how many rows have each.

The contents of smallest hash are kept, so that they are a fair sample of all contents whatever the order, the partitions and the
restarts, and each is counted exactly: one that is among the smallest in the end was so all the time. Where there are no more than
`MOST` contents, the sketch is all of them. Sources: Bar-Yossef, Z., Jayram, T. S., Kumar, R., Sivakumar, D. and Trevisan, L.
(2002), "Counting distinct elements in a data stream", RANDOM 2002, 1-10; Beyer, K., Haas, P. J., Reinwald, B., Sismanis, Y. and
Gemulla, R. (2007), "On synopses for distinct-value estimation under multiset operations", SIGMOD 2007, 199-210.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

Content = tuple[int, int]
"""The hash of a content, and how many rows have it."""

MOST = 256
"""Contents that are kept."""

_KEY = 0x9E3779B97F4A7C15
_WHOLE = (1 << 64) - 1
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_TEXT_KEY = b"driftwake contents"
# Categories come again and again; what never does, like a person's id, may not fill the memory.
_MOST_TEXTS = 1 << 16
_LONGEST_KEPT = 256
# Hashes travel as JSON, and other readers keep numbers as doubles.
_BITS = 53


def content_hashes(columns: Sequence[npt.NDArray[np.float64] | Sequence[str | None]]) -> npt.NDArray[np.int64]:
    """Hash the rows of columns, at least one, to [0, 2^53) [n]: numbers with NaN for missing [n], or texts and None [n].

    Each value is mixed by SplitMix64 (Steele, Lea and Flood 2014) with a key of its column, and their sum is again.
    """
    hashes = np.zeros(len(columns[0]), np.uint64)
    # Column by column: all at once would be no faster, and leave the processor's cache.
    for number, values in enumerate(columns, 1):
        key = np.uint64(number * _KEY & _WHOLE)
        hashes += _mixed(_bits(values) + key)
    return (_mixed(hashes) >> np.uint64(64 - _BITS)).astype(np.int64)


def merged(parts: Iterable[Sequence[Content]]) -> list[Content]:
    """Merge the sketches of several sets of rows into that of all of them."""
    counts: dict[int, int] = {}
    for part in parts:
        for content, rows in part:
            counts[content] = counts.get(content, 0) + rows
    return sorted(counts.items())[:MOST]


def distinct(contents: Sequence[Content]) -> float:
    """Estimate how many different contents there were; exact below `MOST`, else with a relative error of 1 / sqrt(MOST - 2)."""
    if len(contents) < MOST:
        return float(len(contents))
    # Between equidistant hashes each has as much room as the smallest ones have on average.
    return (MOST - 1) / ((contents[-1][0] + 1) / 2.0**_BITS)


class Contents:
    """The contents of smallest hash that were seen so far."""

    def __init__(self) -> None:
        self._hashes = np.empty(0, np.int64)
        self._rows = np.empty(0, np.int64)

    def add(self, hashes: npt.NDArray[np.int64]) -> None:
        """Add rows by the hashes of their contents [n]."""
        if len(self._hashes) == MOST:
            hashes = hashes[hashes <= self._hashes[-1]]
        if not len(hashes):
            return
        found, which = np.unique(np.concatenate([self._hashes, hashes]), return_inverse=True)
        rows = np.concatenate([self._rows, np.ones(len(hashes), np.int64)])
        counted = np.zeros(len(found), np.int64)
        np.add.at(counted, which, rows)
        self._hashes, self._rows = found[:MOST], counted[:MOST]

    @property
    def counted(self) -> list[Content]:
        """The contents that are kept, smallest hashes first."""
        return list(zip(self._hashes.tolist(), self._rows.tolist(), strict=True))


def _bits(values: npt.NDArray[np.float64] | Sequence[str | None]) -> npt.NDArray[np.uint64]:
    if isinstance(values, np.ndarray):
        # One zero, and one NaN.
        known = np.where(np.isnan(values), np.nan, values + 0.0)
        return known.view(np.uint64)
    return np.fromiter(map(_TEXTS.__getitem__, values), np.uint64, len(values))


class _Texts(dict[str | None, int]):
    """The hashes of texts that came lately: looked up, most cost no more than a dictionary does."""

    def __missing__(self, value: str | None) -> int:
        text = b"" if value is None else b"=" + value.encode()
        found = int.from_bytes(hashlib.blake2b(text, digest_size=8, key=_TEXT_KEY).digest(), "little")
        if len(text) <= _LONGEST_KEPT:
            if len(self) >= _MOST_TEXTS:
                self.clear()
            self[value] = found
        return found


_TEXTS = _Texts()


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Mix values in place."""
    values ^= values >> np.uint64(30)
    values *= _FIRST
    values ^= values >> np.uint64(27)
    values *= _SECOND
    values ^= values >> np.uint64(31)
    return values
