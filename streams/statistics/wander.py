"""How levels wander by themselves: what is left of a signal beyond its season, told apart into chance, unrest and wandering.

A bucket's level is what the calendar expects, plus a slow wandering (autoregressive, of first order), plus unrest that each
bucket has of its own, plus the chance of its rows. The filter says how surprising each new level is given all before it. In an
undisturbed stream these surprises are independent with a deviation of 1 whatever the autocorrelation, so one yardstick fits
all signals. Source: Kalman, R. E. (1960), "A new approach to linear filtering and prediction problems", Journal of Basic
Engineering 82, 35-45, for one dimension.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streams.statistics.skew import unskewed

Floats = npt.NDArray[np.float64]

# Autocorrelation this many standard errors above nothing is taken for wandering.
_SIGNIFICANT = 2.0
_MOST_PERSISTENT = 0.995
_LEAST_PERSISTENT = 0.1


class Noise(NamedTuple):
    """What varies about the expected level: the wandering's variance and persistence a bucket, and unrest [m each].

    All in squared units of the signal's level; the chance of rows comes on top, 1 / rows.
    """

    wandering: Floats
    persistence: Floats
    unrest: Floats

    def restless_as(self, other: Noise) -> Noise:
        """Return it with the other's noise for signals that don't wander there."""
        is_still = other.wandering == 0
        return Noise(*(np.where(is_still, theirs, own) for own, theirs in zip(self, other, strict=True)))


def learn_noise(values: Floats, chance: Floats) -> Noise:
    """Learn it from a history that is without season by moments.

    Args:
        values: levels less what the season expects [T, m], bucket after bucket; NaN where nothing was measured.
        chance: the variance of a level by its rows [T, m].
    """
    whole = _products(values, 0)
    first, second, third = (_products(values, lag) for lag in (1, 2, 3))
    number = np.maximum((~np.isnan(values)).sum(axis=0), 1)
    is_wandering = first > _SIGNIFICANT * whole / np.sqrt(number)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(is_wandering, (second + third) / (first + second), 0.0)
    persistence = np.where(is_wandering, np.clip(np.nan_to_num(ratio), _LEAST_PERSISTENT, _MOST_PERSISTENT), 0.0)
    wandering = np.where(is_wandering, np.minimum(first / np.maximum(persistence, _LEAST_PERSISTENT), whole), 0.0)
    by_rows = np.nan_to_num(np.nansum(np.where(np.isnan(values), 0.0, chance), axis=0) / number)
    return Noise(wandering, persistence, np.maximum(whole - wandering - by_rows, 0.0))


class Surprise:
    """Says how far each new level is from what all levels before let expect, in its own standard deviations.

    Args:
        noise: what is known of how the signals vary.
        skewness: of a row's part in each signal [m]; chance is as skewed as its rows are few, and that is taken out.
    """

    def __init__(self, noise: Noise, skewness: Floats | float = 0.0) -> None:
        self._noise = noise
        self._skewness = np.asarray(skewness, np.float64)
        self.level = np.zeros_like(noise.wandering)
        """Where the wandering is thought to be [m]."""
        self.doubt = noise.wandering.copy()
        """The variance of that [m]."""

    def step(self, values: Floats, chance: Floats, buckets: int = 1) -> Floats:
        """Take in one bucket and return its surprises [m]; NaN where nothing was measured.

        Args:
            values: levels less what the season expects [m].
            chance: the variance of each by its rows [m].
            buckets: how many have passed since the last one.
        """
        kept = self._noise.persistence**buckets
        level = kept * self.level
        doubt = kept**2 * self.doubt + self._noise.wandering * (1 - kept**2)
        variance = doubt + self._noise.unrest + chance
        is_known = ~np.isnan(values) & (variance > 0)
        off = np.where(is_known, values - level, 0.0)
        gain = np.where(is_known, doubt / np.where(is_known, variance, 1.0), 0.0)
        self.level = level + gain * off
        self.doubt = (1 - gain) * doubt
        deviation = np.sqrt(np.where(is_known, variance, 1.0))
        # A mean's third moment is a row's over the square of their number; wandering and unrest have none.
        skewness = np.where(is_known, self._skewness * chance**2 / deviation**3, 0.0)
        return np.where(is_known, unskewed(off / deviation, skewness), np.nan)


def _products(values: Floats, lag: int) -> Floats:
    """Mean product of a level and the one `lag` buckets before [m]; 0 where there is none."""
    pairs = values[lag:] * values[: len(values) - lag]
    known = ~np.isnan(pairs)
    return np.where(known, pairs, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
