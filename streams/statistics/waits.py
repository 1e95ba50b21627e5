"""How long things take, as mergeable counts on bins of equal ratio: from a millisecond to an hour, four for each doubling.

Bins of equal ratio have the same relative error everywhere, here at most a tenth, and need no range to be known beforehand.
Source: Masson, C., Rim, J. E. and Lee, H. K. (2019), "DDSketch: a fast and fully-mergeable quantile sketch with
relative-error guarantees", Proceedings of the VLDB Endowment 12, 2195-2205.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_BY_DOUBLING: Final = 4
_DOUBLINGS: Final = 22
_EDGES: Final = 2.0 ** (np.arange(_BY_DOUBLING * _DOUBLINGS + 1) / _BY_DOUBLING)

BINS: Final = len(_EDGES) + 1
"""Bins: the first is for less than a millisecond, or less than no time by two clocks, the last for over an hour."""

LOGARITHMS: Final[Floats] = (np.arange(BINS) - 0.5) / _BY_DOUBLING
"""The logarithm to base 2, in milliseconds, of the middle of each bin [bins]."""


def count_waits(waits_ms: Integers) -> Integers:
    """Count times [n] in milliseconds; returns [bins]."""
    return np.bincount(np.searchsorted(_EDGES, waits_ms, side="right"), minlength=BINS).astype(np.int64)


def longer(counts: Sequence[int], doublings: int) -> int:
    """Return how many took at least 2 ** `doublings` milliseconds."""
    return sum(counts[doublings * _BY_DOUBLING + 1 :])


def quantile(counts: Sequence[int], level: float) -> float:
    """Return the middle of the bin in which a quantile lies, in milliseconds; 0 of nothing."""
    reached = np.cumsum(np.asarray(counts, np.int64))
    if not len(reached) or not reached[-1]:
        return 0.0
    return float(2.0 ** LOGARITHMS[int(np.searchsorted(reached, max(level * reached[-1], 1)))])
