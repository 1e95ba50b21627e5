"""Two-sample tests as signals: how improbable the bucket's rows are under the reference, as a normal deviation.

A test's p-value says nothing of hours and seasons; what is normal for it on this stream is learnt like for any other signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from streams.contracts.summaries import InputSummary
from streams.detectors.base import Floats, Readings

# Beyond it p-values aren't exact and no alarm needs more.
_FARTHEST = 12.0

# Below this many known values on a side the asymptotic distribution is no good, and there is no power anyway.
FEWEST = 30


class Tested(NamedTuple):
    """What a test gave: the p-value, and the size of the difference in the test's own unit."""

    p_value: float
    distance: float


def kolmogorov_smirnov(before: Floats, after: Floats) -> Tested | None:
    """Compare two samples by the largest gap between their cumulative distributions; None where one is too small.

    Ties (counts, rounded values) make the test conservative. Source: Hodges, J. L. (1958), "The significance probability of
    the Smirnov two-sample test", Arkiv för Matematik 3, 469-486; SciPy's `ks_2samp(method="asymp")`.
    """
    if min(len(before), len(after)) < FEWEST:
        return None
    result = stats.ks_2samp(before, after, method="asymp")
    return Tested(float(result.pvalue), float(result.statistic))


def readings(found: Sequence[Tested | None]) -> Readings:
    """Return the readings of tests: one look each, whatever the number of rows behind it."""
    p_values, distances = (np.array([np.nan if one is None else one[part] for one in found]) for part in (0, 1))
    level = np.clip(stats.norm.isf(p_values), -_FARTHEST, _FARTHEST)
    return Readings(level, np.where(np.isnan(level), 0.0, 1.0), distances)


def sampled(inputs: InputSummary, column: str) -> Floats:
    """Return the known numbers of a column in the bucket's sample [at most its rows]."""
    values = (row.get(column) for _, row in inputs.sample)
    known = np.array([value for value in values if isinstance(value, int | float)], np.float64)
    return known[np.isfinite(known)]
