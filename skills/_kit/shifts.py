"""How far recent rows lie from a bundle's reference, column by column, by PSI. Missing values are a bin of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skills._kit.frames import Floats
from streams.contracts.bundle import CategoryProfile, NumberProfile
from streams.statistics.distances import psi


class Shift(NamedTuple):
    """One column against its reference.

    `statistic` is the PSI; `effect` the change of the mean in reference deviations, or the largest change of a share.
    `missing` is the change of the missing share, `strange` the share of values outside the reference's range or categories,
    `scale` the ratio of typical magnitudes as a logarithm to base 10.
    """

    feature: str
    statistic: float
    effect: float
    missing: float
    strange: float
    scale: float


def number_shares(profile: NumberProfile, values: Floats) -> Floats:
    """Return the shares of values in the profile's bins, the missing share last [bins + 1]."""
    known = values[np.isfinite(values)]
    counts = np.bincount(np.searchsorted(profile.edges, known, side="right"), minlength=len(profile.edges) + 1)
    return np.r_[counts, len(values) - len(known)] / max(len(values), 1)


def number_shift(name: str, profile: NumberProfile, values: Floats) -> Shift:
    """Compare a numeric column [rows]."""
    shares = number_shares(profile, values)
    expected = np.r_[np.array(profile.shares) * (1 - profile.missing), profile.missing]
    known, sample = values[np.isfinite(values)], np.array(profile.sample)
    if not len(known) or not len(sample):
        return Shift(name, psi(shares, expected), 0.0, float(shares[-1] - profile.missing), 0.0, 0.0)
    room = 0.5 * (profile.high - profile.low)
    strange = float(np.mean((known < profile.low - room) | (known > profile.high + room)))
    before, after = np.median(np.abs(sample)), np.median(np.abs(known))
    scale = float(np.log10(after / before)) if before > 0 and after > 0 else 0.0
    effect = float((known.mean() - sample.mean()) / max(float(sample.std()), 1e-12))
    return Shift(name, psi(shares, expected), effect, float(shares[-1] - profile.missing), strange, scale)


def category_shift(name: str, profile: CategoryProfile, values: Sequence[str | None]) -> Shift:
    """Compare a categorical column; `strange` is the share of categories that the reference doesn't name."""
    counts = Counter(value for value in values if value)
    known, rows = sum(counts.values()), max(len(values), 1)
    missing = 1 - known / rows
    shares = np.array([counts.get(value, 0) / rows for value in profile.shares])
    unseen = known / rows - float(shares.sum())
    usual = np.array(list(profile.shares.values())) * (1 - profile.missing)
    rest = max(0.0, 1 - profile.missing - float(usual.sum()))
    statistic = psi(np.r_[shares, unseen, missing], np.r_[usual, rest, profile.missing])
    effect = float(np.abs(shares - usual).max(initial=unseen - rest))
    return Shift(name, statistic, effect, missing - profile.missing, max(0.0, unseen - rest), 0.0)
