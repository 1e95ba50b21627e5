"""Exact sums over any range of a fixed array, in constant time.

A sum over a range is the difference of two running sums. Rounded ones would lose digits, and one huge value would spoil every
range behind it; so a value is cut into limbs of 36 bits, whole numbers whose running sums are exact in 64 bits for up to 2**27
values. Eight limbs hold every value between `SMALLEST_VALUE` and `LARGEST_VALUE` to its last bit. As limbs are exact, a sum
doesn't depend on the order in which values came, nor on how they are split among runs.

Memory per value: 8 bytes for each limb that any of them has, which is 3 for amounts of money, and 8 for the count.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.windows.facts import LARGEST_VALUE, Floats, Integers

_WEIGHTS: Final = tuple(2.0**power for power in range(72, -181, -36))


class Running:
    """The running sums of fixed values.

    Args:
        values: shape (values,), NaN where missing.
    """

    def __init__(self, values: Floats) -> None:
        present = np.abs(values) <= LARGEST_VALUE
        self._sums: dict[int, Integers] = {0: running(present)}
        rest = np.where(present, values, 0.0)
        for place, weight in enumerate(_WEIGHTS, start=1):
            if not rest.any():
                break
            whole = np.trunc(rest / weight)
            if whole.any():
                rest = rest - whole * weight
                self._sums[place] = running(whole.astype(np.int64))

    def between(self, start: Integers, stop: Integers) -> Integers:
        """Return what is in each [start, stop), both of shape (ranges,): counts and limbs, shape (1 + limbs, ranges).

        What two arrays have together is the sum of both.
        """
        found = np.zeros((1 + len(_WEIGHTS), len(start)), dtype=np.int64)
        for place, sums in self._sums.items():
            np.subtract(sums[stop], sums[start], out=found[place])
        return found


def totals(found: Integers) -> tuple[Floats, Floats]:
    """Return how many values there are and their sums, each of shape (ranges,), of what `Running.between` found."""
    total = np.zeros(found.shape[1])
    for weight, limbs in zip(_WEIGHTS, found[1:], strict=True):
        if limbs.any():
            total += limbs * weight
    return found[0].astype(np.float64), total


def running(values: Integers | NDArray[np.bool_]) -> Integers:
    """Return the sum of all values before each place, shape (values + 1,)."""
    sums = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=sums[1:])
    return sums
