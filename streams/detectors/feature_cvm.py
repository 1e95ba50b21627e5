"""Numeric columns and windows: has their distribution left the reference? Two-sample Cramér-von Mises on samples.

It sums up the gap between the two cumulative distributions over all values, where `feature_ks` goes by its widest place: many
small differences show sooner, a single one later.
"""

from __future__ import annotations

from streams.detectors._sampled import SampledNumbers, TwoSample
from streams.detectors._tested import cramer_von_mises
from streams.detectors.base import Setup

TEST = TwoSample("Cramér-von Mises", "mean gap of the cumulative distributions", cramer_von_mises)


def open_detector(setup: Setup) -> SampledNumbers:
    """Open it."""
    return SampledNumbers(setup, TEST)
