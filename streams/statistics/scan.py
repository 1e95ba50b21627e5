"""A chart that looks for a lasting change over the last 1, 2, 3 ... buckets at once, so that neither large nor small ones wait.

Surprises of an undisturbed stream are independent with mean 0 and deviation 1, so their sum over any number of buckets, divided
by its root, has deviation 1 too. A change of any size is found soonest by the stretch that began with it; the scan takes the
stretch that stands out most. Source: Lai, T. L. (1995), "Sequential changepoint detection in quality control and dynamical
systems", Journal of the Royal Statistical Society B 57, 613-658 (the window-limited generalised likelihood ratio).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Stretches that are looked at, in buckets: close enough together that a change of another length loses little."""

_LEAST_RECENT = 3
_NO_ROWS = 1e-300


class Watched(NamedTuple):
    """What a chart must know of its signals [m each].

    `rises_only` says that a fall is no trouble; a stretch with fewer than `fewest` rows gives no verdict; `history` is how many
    rows the expectation rests on, whose own error makes long stretches less sure.
    """

    rises_only: Flags
    fewest: Floats
    history: Floats


class Scanned(NamedTuple):
    """The stretch that stands out most of each signal [m each]: how far, in deviations; its buckets, rows and mean effect.

    `recent_effect` is the mean effect of its last quarter, at least three buckets; `recent` is how many those are.
    """

    height: Floats
    length: Integers
    rows: Floats
    effect: Floats
    recent: Integers
    recent_effect: Floats


class Scan:
    """Holds the last buckets of some signals.

    Args:
        watched: the signals.
        lengths: the stretches, in buckets, rising.
    """

    def __init__(self, watched: Watched, lengths: tuple[int, ...] = LENGTHS) -> None:
        self._watched = watched
        self._lengths = np.array(lengths)
        self._recent = np.searchsorted(self._lengths, np.maximum(self._lengths // 4, _LEAST_RECENT), side="right") - 1
        # Running sums of surprises, rows and rows times effect over the last buckets, as a ring.
        self._sums = np.zeros((lengths[-1] + 1, 3, len(watched.history)))
        self._at = 0

    def step(self, surprises: Floats, rows: Floats, effects: Floats) -> Scanned:
        """Take in one bucket [m each]; NaN is no surprise and no effect."""
        now = self._sums[self._at] + np.nan_to_num(np.stack([surprises, rows, rows * effects]))
        self._at = (self._at + 1) % len(self._sums)
        self._sums[self._at] = now
        stretches = now - self._sums[(self._at - self._lengths) % len(self._sums)]
        doubt = 1 + stretches[:, 1] / self._watched.history
        heights = _heights(stretches[:, 0] / np.sqrt(self._lengths[:, None] * doubt), stretches[:, 1], self._watched)
        best = np.argmax(heights, axis=0)
        every = np.arange(len(best))
        chosen, recent = stretches[best, :, every], stretches[self._recent[best], :, every]
        return Scanned(
            height=heights[best, every],
            length=self._lengths[best],
            rows=chosen[:, 1],
            effect=chosen[:, 2] / np.maximum(chosen[:, 1], _NO_ROWS),
            recent=self._lengths[self._recent[best]],
            recent_effect=recent[:, 2] / np.maximum(recent[:, 1], _NO_ROWS),
        )

    def forget(self, signals: Flags) -> None:
        """Begin anew with some signals [m]: no stretch reaches back before now."""
        self._sums[:, :, signals] = self._sums[self._at][:, signals]


def scanned_heights(surprises: Floats, watched: Watched, lengths: tuple[int, ...] = LENGTHS) -> Floats:
    """Return the heights that `Scan` gives bucket after bucket, each of one row [T, m]: the same numbers, made all at once."""
    sums = np.vstack([np.zeros((1, surprises.shape[1])), np.cumsum(np.nan_to_num(surprises), axis=0)])
    best, passed = np.zeros_like(surprises), np.arange(1, len(sums))[:, None]
    for length in lengths:
        before = np.vstack([np.zeros((min(length, len(sums)) - 1, sums.shape[1])), sums[: max(len(sums) - length, 0)]])
        height = (sums[1:] - before[: len(best)]) / np.sqrt(length * (1 + np.minimum(passed, length) / watched.history))
        np.maximum(best, np.where(watched.rises_only, height, np.abs(height)), out=best)
    return best


def improbability(heights: Floats, rises_only: Flags) -> Floats:
    """Return how unlikely such a height is in one look at one stretch, as -log10 of the chance [..., m]."""
    tails = special.log_ndtr(-heights)
    return -(tails + np.where(rises_only, 0.0, np.log(2.0))) / np.log(10.0)


def _heights(stretches: Floats, rows: Floats, watched: Watched) -> Floats:
    heights = np.where(watched.rises_only, stretches, np.abs(stretches))
    return np.where(rows >= watched.fewest, np.maximum(heights, 0.0), 0.0)
