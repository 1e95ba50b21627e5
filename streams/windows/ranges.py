"""Folds over any range of a fixed array in constant time: least and largest values, moments. Nothing is subtracted.

Least values have no difference, and that of two running moments loses digits wherever spread is small beside what lies before.
Here only members of the range are combined: the two ends from blocks of 32, and the whole blocks between from a disjoint sparse
table (each level holds, for every block, the fold from there to the middle of its section; a range of blocks is the two halves
that meet at one middle).

Memory per fact: the value itself (and its time, for moments), and for the table `8 * fields * log2(facts / 32) / 32` bytes, up to
double that as it is padded.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np

from streams.windows.facts import Floats, Integers

_BLOCK: Final = 32


class Fold(Protocol):
    """What is combined. States have the shape (fields, ...); combining is associative, in the order of the facts."""

    @property
    def identity(self) -> tuple[float, ...]:
        """The state of no facts."""
        ...

    def lift(self, values: Floats) -> Floats:
        """Return the states (fields, ...) of single facts; values of shape (inputs, ...), NaN where missing."""
        ...

    def combine(self, left: Floats, right: Floats) -> Floats:
        """Return the states of both, left before right; both of shape (fields, ...)."""
        ...


class Extremes:
    """The least and the largest value; infinite both ways while there is none."""

    identity = (np.inf, -np.inf)

    def lift(self, values: Floats) -> Floats:
        """Take each value as both."""
        missing = np.isnan(values[0])
        return np.stack([np.where(missing, np.inf, values[0]), np.where(missing, -np.inf, values[0])])

    def combine(self, left: Floats, right: Floats) -> Floats:
        """Keep the outer ones."""
        return np.stack([np.minimum(left[0], right[0]), np.maximum(left[1], right[1])])


class Moments:
    """Count, means of value and time, and what is left around them: sums of squares, and of products.

    Inputs are value and time. Combined pairwise, so that nothing is lost where values are large and their spread is small
    (T. Chan, G. Golub, R. LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances, 1982).
    """

    identity = (0.0,) * 6

    def lift(self, values: Floats) -> Floats:
        """One fact has no spread; a missing value is no fact."""
        present = ~np.isnan(values[0])
        states = np.zeros((6, *values.shape[1:]))
        states[0] = present
        states[1] = np.where(present, values[0], 0.0)
        states[2] = np.where(present, values[1], 0.0)
        return states

    def combine(self, left: Floats, right: Floats) -> Floats:
        """Shift both to the joint means."""
        count = left[0] + right[0]
        share = np.divide(right[0], count, out=np.zeros_like(count), where=count > 0)
        value, time = right[1] - left[1], right[2] - left[2]
        # Beside nothing, what is there stays as it is: means of nothing are 0 and would only round.
        value = np.where(left[0] > 0, value, right[1])
        time = np.where(left[0] > 0, time, right[2])
        weight = left[0] * share
        return np.stack(
            [
                count,
                np.where(left[0] > 0, left[1], 0.0) + value * share,
                np.where(left[0] > 0, left[2], 0.0) + time * share,
                left[3] + right[3] + value * value * weight,
                left[4] + right[4] + time * time * weight,
                left[5] + right[5] + value * time * weight,
            ]
        )


class Ranges:
    """Folds any range of fixed facts, many ranges at once.

    Args:
        fold: what is folded.
        values: its inputs, shape (inputs, facts), NaN where missing.
    """

    def __init__(self, fold: Fold, values: Floats) -> None:
        inputs, size = values.shape
        blocks = max(1, -(-size // _BLOCK))
        self._fold = fold
        self._identity = np.array(fold.identity)
        self._values = np.full((inputs, (blocks + 1) * _BLOCK), np.nan)  # one block more, so that an end can be read whole
        self._values[:, :size] = values
        whole = self._values[:, : blocks * _BLOCK].reshape(inputs, blocks, _BLOCK)
        self._table = self._sections(self._reduced(fold.lift(whole)))

    def between(self, start: Integers, stop: Integers) -> Floats:
        """Fold the facts in each [start, stop), shape (ranges,) both; return states (fields, ranges)."""
        first = -(-start // _BLOCK)
        last = stop // _BLOCK
        head = np.minimum(first * _BLOCK, stop)
        tail = np.maximum(last * _BLOCK, head)
        states = self._end(start, head)
        wide = np.flatnonzero(first < last)
        if len(wide):
            states[:, wide] = self._fold.combine(states[:, wide], self._blocks(first[wide], last[wide] - 1))
        return self._fold.combine(states, self._end(tail, stop))

    def _end(self, start: Integers, stop: Integers) -> Floats:
        """Fold less than a block, its facts one by one or by halves."""
        widest = int((stop - start).max(initial=0))
        if widest == 0:
            return np.repeat(self._identity[:, None], len(start), axis=1)
        width = 1 << (widest - 1).bit_length()
        index = start[:, None] + np.arange(width)
        inside = index < stop[:, None]
        gathered = np.where(inside, self._values[:, np.minimum(index, self._values.shape[1] - 1)], np.nan)
        return self._reduced(self._fold.lift(gathered))

    def _reduced(self, states: Floats) -> Floats:
        """Fold the last axis, whose length is a power of two, by halves."""
        while states.shape[-1] > 1:
            states = self._fold.combine(states[..., 0::2], states[..., 1::2])
        return states[..., 0]

    def _blocks(self, first: Integers, last: Integers) -> Floats:
        """Fold whole blocks, both ends included."""
        apart = first ^ last
        level = np.maximum(np.frexp(apart.astype(np.float64))[1] - 1, 0)
        left = self._table[level, :, first].T
        both = self._fold.combine(left, self._table[level, :, last].T)
        return np.where(apart > 0, both, left)

    def _sections(self, blocks: Floats) -> Floats:
        """Return shape (levels, fields, blocks padded to a power of two); level k has sections of 2**(k + 1) blocks."""
        fields, count = blocks.shape
        levels = max(1, int(np.ceil(np.log2(max(count, 2)))))
        padded = np.repeat(self._identity[:, None], 1 << levels, axis=1)
        padded[:, :count] = blocks
        table = np.empty((levels, fields, padded.shape[1]))
        for level in range(levels):
            sections = padded.reshape(fields, -1, 2, 1 << level)
            out = table[level].reshape(sections.shape)
            # To the middle from the left, so the nearer block comes on the left; from the middle to the right.
            out[:, :, 0] = self._scanned(sections[:, :, 0], is_backward=True)
            out[:, :, 1] = self._scanned(sections[:, :, 1], is_backward=False)
        return table

    def _scanned(self, states: Floats, *, is_backward: bool) -> Floats:
        """Fold each from here to the end, or from the beginning to here, in log2(length) steps (Hillis and Steele, 1986)."""
        step, length = 1, states.shape[-1]
        states = states.copy()
        while step < length:
            if is_backward:
                states[..., :-step] = self._fold.combine(states[..., :-step], states[..., step:])
            else:
                states[..., step:] = self._fold.combine(states[..., :-step], states[..., step:])
            step *= 2
        return states
