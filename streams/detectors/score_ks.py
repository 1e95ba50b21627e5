"""The champion's scores: does the model answer differently than it did on its reference?"""

from __future__ import annotations

import numpy as np

from streams.contracts.summaries import SAMPLED_SCORE
from streams.detectors._samples import is_testable, kolmogorov_smirnov, sampled
from streams.detectors.base import BucketView, Finding, Setup, Stateless

KINDS = ("score_drift",)
LEVELLED = False


class ScoreKs(Stateless):
    """Two-sample Kolmogorov-Smirnov between the profile's scores and those of the bucket's sampled rows."""

    def __init__(self, floor: float) -> None:
        self._floor = floor

    def look(self, view: BucketView) -> list[Finding]:
        """Test the scores."""
        if view.inputs is None:
            return []
        after = sampled(view.inputs, SAMPLED_SCORE)
        if not is_testable(view.profile.score.sample, after):
            return []
        before = np.asarray(view.profile.score.sample, np.float64)
        return [kolmogorov_smirnov(KINDS[0], "score", before, after, self._floor)]


def open_detector(setup: Setup) -> ScoreKs:
    """Open it."""
    return ScoreKs(setup.floors.ks_distance)
