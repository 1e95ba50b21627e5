"""Numeric columns and windows: has their distribution left the reference? Two-sample Kolmogorov-Smirnov on samples.

Any difference of shape shows; `feature_scores` finds shifts and stretches sooner, since it reads every row.
"""

from __future__ import annotations

from streams.detectors._sampled import SampledNumbers, TwoSample
from streams.detectors._tested import kolmogorov_smirnov
from streams.detectors.base import Setup

TEST = TwoSample("Kolmogorov-Smirnov", "KS distance", kolmogorov_smirnov)


def open_detector(setup: Setup) -> SampledNumbers:
    """Open it."""
    return SampledNumbers(setup, TEST)
