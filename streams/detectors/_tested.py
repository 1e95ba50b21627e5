"""Two-sample tests as signals: how improbable the bucket's rows are under the reference, as a normal deviation.

A test's p-value says nothing of hours and seasons; what is normal for it on this stream is learnt like for any other signal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from streams.contracts.summaries import InputSummary
from streams.detectors.base import Floats, Readings

# Beyond it p-values aren't exact and no alarm needs more.
_FARTHEST = 12.0

# Below this many known values on a side the asymptotic distribution is no good, and there is no power anyway.
FEWEST = 30

# The mean of the Cramér-von Mises criterion of two large samples from one distribution.
_BY_CHANCE = 1 / 6
# Below it the series of its distribution is no longer exact enough.
_SERIES = 1e-6
_LIKELIEST = 0.999


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


def cramer_von_mises(before: Floats, after: Floats) -> Tested | None:
    """Compare two samples by the mean square of the gap between their cumulative distributions; None where one is too small.

    Source: Anderson, T. W. (1962), "On the distribution of the two-sample Cramér-von Mises criterion", Annals of Mathematical
    Statistics 33, 1148-1159; SciPy's `cramervonmises_2samp(method="asymptotic")`. The distance is `mean_gap`.
    """
    if min(len(before), len(after)) < FEWEST:
        return None
    result = stats.cramervonmises_2samp(before, after, method="asymptotic")
    return of_criterion(float(result.pvalue), float(result.statistic), len(before), len(after))


def of_criterion(p_value: float, criterion: float, before: int, after: int) -> Tested:
    """Return what a Cramér-von Mises criterion of two samples says, given its p-value by the series that libraries sum up.

    The series is exact to about 1e-7. Beyond, the chance is taken from the widest of the chi-squares of which the criterion is a
    sum. Source: Zolotarev, V. M. (1961), "Concerning a certain probability problem", Theory of Probability and its Applications
    6, 201-204.
    """
    if p_value < _SERIES:
        rows, pairs = before + after, before * after
        mean = (1 + 1 / rows) / 6
        variance = (rows + 1) * (4 * pairs * rows - 3 * (before**2 + after**2) - 2 * pairs) / (45 * rows**2 * 4 * pairs)
        limit = _BY_CHANCE + (criterion - mean) / math.sqrt(45 * variance)
        p_value = math.sqrt(2) * float(stats.chi2.sf(math.pi**2 * limit, 1))
    return Tested(p_value, mean_gap(criterion, before, after))


def mean_gap(criterion: float, before: int, after: int) -> float:
    """Return the root of the mean square gap between two cumulative distributions, beyond what chance makes of the criterion.

    A Cramér-von Mises criterion is that mean square times n m / (n + m), and about 1/6 by chance alone. The gap is never more
    than the largest one, KS's; a normal variable's shift by a small part of its deviation makes it 0.76 times as large.
    """
    return math.sqrt(max(criterion - _BY_CHANCE, 0.0) * (before + after) / (before * after))


def fisher(table: npt.NDArray[np.int64]) -> Tested:
    """Test whether a share is the same twice, given counts of hits and misses of reference and bucket [2, 2].

    Exact however few rows there are, and conservative for it. Independent rows are assumed. Source: Fisher, R. A. (1922), "On the
    interpretation of chi-square from contingency tables", Journal of the Royal Statistical Society 85, 87-94; SciPy's
    `fisher_exact`.
    """
    return of_shares(float(stats.fisher_exact(table).pvalue), table)


def of_shares(p_value: float, table: npt.NDArray[np.int64]) -> Tested:
    """Return what a table of hits and misses [2, 2] says, given its p-value; the distance is that of the two shares.

    The commonest of all tables has a p-value of 1, which is no number of deviations.
    """
    shares = table[:, 0] / np.maximum(table.sum(axis=1), 1)
    return Tested(min(p_value, _LIKELIEST), float(abs(shares[1] - shares[0])))


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
