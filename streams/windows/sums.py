"""Sums over any range of a fixed array in constant time, without subtracting."""

from __future__ import annotations

from typing import Final

import numpy as np

from streams.windows.facts import Floats, Integers

_BLOCK: Final = 32


class RangeSums:
    """Answers sum(values[start:stop]) for many ranges at once.

    The obvious way, the difference of two running sums, loses digits wherever a running sum is much larger than the range's
    own sum, and a single huge value spoils every range behind it. Here only members of the range are added: the two ends
    from blocks of 32, and the whole blocks between from a disjoint sparse table (each level holds, for every block, the sum
    from there to the middle of its section; a range of blocks is the two halves that meet at one middle).

    Memory per value: 8 bytes, and 8 * log2(values / 32) / 32 (up to double that, as the table is padded) for the table.
    """

    def __init__(self, values: Floats) -> None:
        size = len(values)
        blocks = max(1, -(-size // _BLOCK))
        self.values = np.zeros((blocks + 1) * _BLOCK)  # one block more, so that an end can be read whole
        self.values[:size] = values
        self._table = _disjoint_table(self.values[: blocks * _BLOCK].reshape(blocks, _BLOCK).sum(axis=1))

    def between(self, start: Integers, stop: Integers) -> Floats:
        """Sum the values in each [start, stop); shape (ranges,) in and out. An empty range gives 0."""
        first = -(-start // _BLOCK)
        last = stop // _BLOCK
        head = np.minimum(first * _BLOCK, stop)
        tail = np.maximum(last * _BLOCK, head)
        total = self._end(start, head) + self._end(tail, stop)
        wide = np.flatnonzero(first < last)
        if len(wide):
            total[wide] += self._blocks(first[wide], last[wide] - 1)
        return total

    def _end(self, start: Integers, stop: Integers) -> Floats:
        widest = int((stop - start).max(initial=0))
        if widest == 0:
            return np.zeros(len(start))
        index = start[:, None] + np.arange(widest)
        return np.where(index < stop[:, None], self.values[index], 0.0).sum(axis=1)

    def _blocks(self, first: Integers, last: Integers) -> Floats:
        """Sum whole blocks, both ends included."""
        apart = first ^ last
        level = np.maximum(np.frexp(apart.astype(np.float64))[1] - 1, 0)
        total = self._table[level, first]
        return np.where(apart > 0, total + self._table[level, last], total)


def _disjoint_table(blocks: Floats) -> Floats:
    """Return shape (levels, blocks padded to a power of two); level k has sections of 2**(k + 1) blocks."""
    levels = max(1, int(np.ceil(np.log2(max(len(blocks), 2)))))
    padded = np.zeros(1 << levels)
    padded[: len(blocks)] = blocks
    table = np.empty((levels, len(padded)))
    for level in range(levels):
        sections = padded.reshape(-1, 2, 1 << level)
        out = table[level].reshape(sections.shape)
        out[:, 0] = sections[:, 0, ::-1].cumsum(axis=1)[:, ::-1]
        out[:, 1] = sections[:, 1].cumsum(axis=1)
    return table
