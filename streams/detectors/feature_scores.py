"""Numeric columns and windows: does their distribution lie elsewhere, is it wider, does it lean? Normal scores of bins."""

from __future__ import annotations

from collections.abc import Sequence

from streams.detectors._bins import BinScores, sketch_numbers
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, Stateless, floor_of, nothing


class FeatureScores(Stateless):
    """Follows up to three scores of each number of the profile, on all rows of the bucket. See `normal_scores`."""

    def __init__(self, setup: Setup) -> None:
        self._profile = setup.profile
        floors = {name: floor_of(setup.profile, name, setup.floors.deviations) for name in setup.profile.numbers}
        self._scores = BinScores(setup.profile.numbers, "feature_drift", floors, setup.profile.rows)

    @property
    def signals(self) -> Sequence[Signal]:
        """Location, spread and asymmetry of each number."""
        return self._scores.signals

    def read(self, view: BucketView) -> Readings:
        """Read the bins of all numbers."""
        return self._scores.read(view.inputs.numbers) if view.inputs is not None else nothing(len(self.signals))

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show quantiles."""
        name = self.signals[index].watched
        found = [view.inputs.numbers[name] for view in views if view.inputs is not None and name in view.inputs.numbers]
        return sketch_numbers(self._profile.numbers[name], found)


def open_detector(setup: Setup) -> FeatureScores:
    """Open it."""
    return FeatureScores(setup)
