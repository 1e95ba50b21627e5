"""Numeric columns and windows: has their distribution left the reference? Two-sample Kolmogorov-Smirnov on samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams.detectors._bins import sketch_numbers
from streams.detectors._tested import kolmogorov_smirnov, readings, sampled
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, Stateless, nothing


class FeatureKs(Stateless):
    """Compares each number of the profile with the bucket's bottom-k sample, which is a fair sample of the bucket.

    Any difference of shape shows; `feature_scores` finds shifts and stretches sooner, since it reads every row.
    """

    reads_sample = True

    def __init__(self, setup: Setup) -> None:
        self._profiles = setup.profile.numbers
        self._before = {name: np.asarray(profile.sample, np.float64) for name, profile in self._profiles.items()}
        floor = setup.floors.ks_distance
        self.signals: Sequence[Signal] = [
            Signal("feature_drift", name, "Kolmogorov-Smirnov", "KS distance", floor, 1.0, scale=0.0, rises_only=True)
            for name in self._profiles
        ]

    def read(self, view: BucketView) -> Readings:
        """Test every number of the reference; what is missing is left to `inputs_quality`."""
        if view.inputs is None:
            return nothing(len(self.signals))
        return readings([kolmogorov_smirnov(before, sampled(view.inputs, name)) for name, before in self._before.items()])

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show quantiles."""
        name = self.signals[index].watched
        found = [view.inputs.numbers[name] for view in views if view.inputs is not None and name in view.inputs.numbers]
        return sketch_numbers(self._profiles[name], found)


def open_detector(setup: Setup) -> FeatureKs:
    """Open it."""
    return FeatureKs(setup)
