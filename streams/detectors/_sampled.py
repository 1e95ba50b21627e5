"""Two-sample tests of the profile's numbers on a bucket's sampled rows, one look a bucket each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from streams.detectors._bins import sketch_numbers
from streams.detectors._tested import Tested, readings, sampled
from streams.detectors.base import BucketView, Floats, Readings, Setup, Signal, Sketch, Stateless, nothing


class TwoSample(NamedTuple):
    """A test: what it is called, the unit of its effect, and how it is made of the reference's and the bucket's sample."""

    name: str
    unit: str
    run: Callable[[Floats, Floats], Tested | None]


class SampledNumbers(Stateless):
    """Compares each number of the profile with the bucket's bottom-k sample, which is a fair sample of the bucket.

    Args:
        setup: as of every detector.
        test: which.
    """

    reads_sample = True

    def __init__(self, setup: Setup, test: TwoSample) -> None:
        self._test = test
        self._profiles = setup.profile.numbers
        self._before = {name: np.asarray(profile.sample, np.float64) for name, profile in self._profiles.items()}
        floor = setup.floors.ks_distance
        self.signals: Sequence[Signal] = [
            Signal("feature_drift", name, test.name, test.unit, floor, 1.0, scale=0.0, rises_only=True) for name in self._profiles
        ]

    def read(self, view: BucketView) -> Readings:
        """Test every number of the reference; what is missing is left to `inputs_quality`."""
        if view.inputs is None:
            return nothing(len(self.signals))
        return readings([self._test.run(before, sampled(view.inputs, name)) for name, before in self._before.items()])

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show quantiles."""
        name = self.signals[index].watched
        found = [view.inputs.numbers[name] for view in views if view.inputs is not None and name in view.inputs.numbers]
        return sketch_numbers(self._profiles[name], found)
