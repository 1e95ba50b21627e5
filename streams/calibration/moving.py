"""Moving the rows of a bucket's counts: where those of each bin or category go when what comes has changed.

Each row moves by chance and by itself, as rows do, so that what a bucket's size makes uncertain stays uncertain.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from scipy import stats

from streams.contracts.bundle import NumberProfile
from streams.contracts.summaries import CategoryCounts, NumberCounts
from streams.detectors.base import Floats


def shifted(shares: Sequence[float], by: float) -> Floats:
    """Return where the rows of each bin go when ranks move as those of a normal variable that is shifted [bins, bins].

    A normal feature's mean moves by so many of its standard deviations; a skewed or discrete one moves as far in the normal scale
    of its ranks, and keeps to values that it has. It is the unit of `effect_floors.deviations`.

    Args:
        shares: of the reference's bins in order, adding up to 1.
        by: how far, in standard deviations of a row.
    """
    weights = np.asarray(shares, np.float64)
    ends = np.minimum(np.r_[0.0, np.cumsum(weights)] / weights.sum(), 1.0)
    # Between which ranks the rows have been that end up in each bin.
    before = stats.norm.cdf(stats.norm.ppf(ends) - by)
    overlap = np.minimum(ends[1:, None], before[None, 1:]) - np.maximum(ends[:-1, None], before[None, :-1])
    return _chances(np.maximum(overlap, 0.0))


def rescaled(profile: NumberProfile, factor: float) -> Floats:
    """Return where the rows of each bin go when values are multiplied [bins, bins + 2]; the last two are below and above range.

    Args:
        profile: with the sample that says which values are in a bin.
        factor: what they are multiplied with.
    """
    bins, values = len(profile.shares), np.asarray(profile.sample, np.float64)
    after = values * factor
    to = np.searchsorted(profile.edges, after, side="right")
    if profile.low <= profile.high:
        to = np.where(after < profile.low, bins, np.where(after > profile.high, bins + 1, to))
    found = np.zeros((bins, bins + 2))
    np.add.at(found, (np.searchsorted(profile.edges, values, side="right"), to), 1.0)
    return _chances(found)


def move(counts: NumberCounts, chances: Floats, generator: np.random.Generator) -> NumberCounts:
    """Move the rows of each bin to others, by chances [bins, bins]; none gets out of the reference's range, or into it."""
    bins = generator.multinomial(counts.bins, chances).sum(axis=0)
    return msgspec.structs.replace(counts, bins=bins.tolist())


def rescale(counts: NumberCounts, chances: Floats, generator: np.random.Generator) -> NumberCounts:
    """Move the rows of each bin to others or out of range, by chances [bins, bins + 2]."""
    *bins, low, high = generator.multinomial(counts.bins, chances).sum(axis=0).tolist()
    bins[0] += low
    bins[-1] += high
    return msgspec.structs.replace(counts, bins=bins, low=low, high=high)


def lose_numbers(counts: NumberCounts, share: float, generator: np.random.Generator) -> NumberCounts:
    """Let a share of the known values be missing."""
    lost = generator.binomial(counts.bins, share)
    left = (np.asarray(counts.bins) - lost).tolist()
    low, high = generator.binomial([counts.low, counts.high], 1 - share).tolist()
    return NumberCounts(bins=left, missing=counts.missing + int(lost.sum()), low=min(low, left[0]), high=min(high, left[-1]))


def lose_categories(counts: CategoryCounts, share: float, generator: np.random.Generator) -> CategoryCounts:
    """Let a share of the known values be missing."""
    *known, unseen = generator.binomial([*counts.counts.values(), counts.unseen], 1 - share).tolist()
    lost = sum(counts.counts.values()) + counts.unseen - sum(known) - unseen
    return CategoryCounts(counts=dict(zip(counts.counts, known, strict=True)), missing=counts.missing + lost, unseen=unseen)


def gather(counts: CategoryCounts, category: str, share: float, generator: np.random.Generator) -> CategoryCounts:
    """Let a share of all other known values become one category."""
    others = [name for name in counts.counts if name != category]
    *stay, unseen = generator.binomial([*(counts.counts[name] for name in others), counts.unseen], 1 - share).tolist()
    known = sum(counts.counts.values()) + counts.unseen
    found = {**dict(zip(others, stay, strict=True)), category: known - sum(stay) - unseen}
    return msgspec.structs.replace(counts, counts={name: found[name] for name in [*others, category]}, unseen=unseen)


def redraw(histogram: Sequence[int], share: float, like: Floats, generator: np.random.Generator) -> list[int]:
    """Draw a share of a histogram's rows anew, in proportion to another [bins]."""
    drawn = generator.binomial(histogram, share)
    found = np.asarray(histogram) - drawn + generator.multinomial(int(drawn.sum()), like / like.sum())
    again: list[int] = found.tolist()
    return again


def _chances(weights: Floats) -> Floats:
    """Make rows that add up to 1; a bin of which nothing is known stays what it is."""
    total = weights.sum(axis=1, keepdims=True)
    return np.where(total > 0, weights / np.where(total > 0, total, 1.0), np.eye(len(weights), weights.shape[1]))
