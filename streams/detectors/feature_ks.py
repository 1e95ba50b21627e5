"""Numeric columns and windows: has their distribution left the reference? Two-sample Kolmogorov-Smirnov on samples."""

from __future__ import annotations

import numpy as np

from streams.detectors._samples import is_testable, kolmogorov_smirnov, sampled
from streams.detectors.base import BucketView, Finding, Setup, Stateless

KINDS = ("feature_drift",)
LEVELLED = False


class FeatureKs(Stateless):
    """Compares each number of the profile with the bucket's bottom-k sample, which is a fair sample of the bucket.

    Missing values are left to `inputs_quality`. The p-value assumes independent rows; hours and seasons of a real stream are
    not in it.
    """

    def __init__(self, floor: float) -> None:
        self._floor = floor

    def look(self, view: BucketView) -> list[Finding]:
        """Test every number of the reference."""
        if view.inputs is None:
            return []
        findings = []
        for name, profile in view.profile.numbers.items():
            after = sampled(view.inputs, name)
            if is_testable(profile.sample, after):
                before = np.asarray(profile.sample, np.float64)
                findings.append(kolmogorov_smirnov(KINDS[0], name, before, after, self._floor))
        return findings


def open_detector(setup: Setup) -> FeatureKs:
    """Open it."""
    return FeatureKs(setup.floors.ks_distance)
