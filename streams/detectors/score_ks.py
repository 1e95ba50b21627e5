"""The champion's scores: does the model answer differently than it did on its reference? Kolmogorov-Smirnov on samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams.contracts.summaries import SAMPLED_SCORE
from streams.detectors._bins import sketch_numbers
from streams.detectors._tested import kolmogorov_smirnov, readings, sampled
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, Stateless, nothing


class ScoreKs(Stateless):
    """Two-sample Kolmogorov-Smirnov between the profile's scores and those of the bucket's sampled rows."""

    reads_sample = True

    def __init__(self, setup: Setup) -> None:
        self._profile = setup.profile.score
        self._before = np.asarray(self._profile.sample, np.float64)
        floor = setup.floors.ks_distance
        self.signals: Sequence[Signal] = [
            Signal("score_drift", "score", "Kolmogorov-Smirnov", "KS distance", floor, 1.0, scale=0.0, rises_only=True)
        ]

    def read(self, view: BucketView) -> Readings:
        """Test the scores."""
        if view.inputs is None:
            return nothing(1)
        return readings([kolmogorov_smirnov(self._before, sampled(view.inputs, SAMPLED_SCORE))])

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show quantiles."""
        del index  # there is one score
        return sketch_numbers(self._profile, [view.inputs.score for view in views if view.inputs is not None])


def open_detector(setup: Setup) -> ScoreKs:
    """Open it."""
    return ScoreKs(setup)
