"""Samples as arrays, sketches of them, and the two-sample test that several detectors share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import stats

from streams.contracts.summaries import InputSummary
from streams.detectors.base import Finding

Floats = npt.NDArray[np.float64]

KS = "two-sample Kolmogorov-Smirnov, asymptotic"

# Below this many known values on a side the asymptotic distribution is no good, and there is no power anyway.
FEWEST = 30


def sampled(inputs: InputSummary, column: str) -> Floats:
    """Return the known numbers of a column in the bucket's sample [at most its rows]."""
    values = (row.get(column) for _, row in inputs.sample)
    known = np.array([value for value in values if isinstance(value, int | float)], np.float64)
    return known[np.isfinite(known)]


def is_testable(before: Sequence[float] | Floats, after: Floats) -> bool:
    """Whether both samples are large enough for `kolmogorov_smirnov`."""
    return min(len(before), len(after)) >= FEWEST


def kolmogorov_smirnov(kind: str, watched: str, before: Floats, after: Floats, floor: float) -> Finding:
    """Compare two samples by the largest gap between their cumulative distributions.

    Ties (counts, rounded values) make the test conservative. Source: Hodges, J. L. (1958), "The significance probability of
    the Smirnov two-sample test", Arkiv för Matematik 3, 469-486; SciPy's `ks_2samp(method="asymp")`.
    """
    result = stats.ks_2samp(before, after, method="asymp")
    return Finding(
        kind=kind,
        watched=watched,
        method=KS,
        p_value=float(result.pvalue),
        effect=float(result.statistic),
        floor=floor,
        effect_unit="KS distance",
        before=sketch(before),
        after=sketch(after),
    )


def sketch(values: Floats) -> dict[str, float]:
    """Describe a sample by three quantiles."""
    low, middle, high = np.quantile(values, (0.1, 0.5, 0.9))
    return {"p10": float(low), "median": float(middle), "p90": float(high)}
