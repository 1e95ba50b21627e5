"""The champion's scores: does the model answer differently than it did on its reference? Normal scores of bins."""

from __future__ import annotations

from collections.abc import Sequence

from streams.detectors._bins import BinScores, sketch_numbers
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, Stateless, later_rows, nothing

_SCORE = "score"


class ScoreScores(Stateless):
    """Follows up to three scores of the distribution of the model's answers. See `normal_scores`."""

    def __init__(self, setup: Setup) -> None:
        self._profile = setup.profile
        self._scores = BinScores(
            {_SCORE: setup.profile.score}, "score_drift", {_SCORE: setup.floors.deviations}, later_rows(setup.profile)
        )

    @property
    def signals(self) -> Sequence[Signal]:
        """Location, spread and asymmetry."""
        return self._scores.signals

    def read(self, view: BucketView) -> Readings:
        """Read the bins of the scores."""
        return self._scores.read({_SCORE: view.inputs.score}) if view.inputs is not None else nothing(len(self.signals))

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show quantiles."""
        del index  # there is one score
        return sketch_numbers(self._profile.score, [view.inputs.score for view in views if view.inputs is not None])


def open_detector(setup: Setup) -> ScoreScores:
    """Open it."""
    return ScoreScores(setup)
