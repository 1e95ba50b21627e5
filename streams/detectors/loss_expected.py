"""Loss before labels are known, by a small model of it: what do trees on all inputs and the score expect of what comes?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xgboost

from streams.detectors._joint import Remembered
from streams.detectors._known import Known, known_rows, scored
from streams.detectors.base import BucketView, Floats, Readings, Setup, Signal, Sketch, Stateless, nothing

UNIT = "standard deviations of a row's loss"

# Few and small: they are fitted when a bundle takes over, on at most some thousand rows.
_ROUNDS = 100
_SETTINGS = {
    "objective": "reg:squarederror",
    "tree_method": "hist",
    "max_bin": 64,
    "max_depth": 3,
    "learning_rate": 0.05,
    "min_child_weight": 20,
    "nthread": 1,
    "seed": 0,
    "verbosity": 0,
}
# Of its standard errors: a slope that is nearer to 0 may be chance.
_SURE = 2.0


class LossExpected(Stateless):
    """Follows the mean loss that trees expect of the sampled rows: direct loss estimation.

    Trees are fitted to the losses of half of those rows of the reference that the model hadn't seen, on columns, windows and the
    score. The other half says what is usual of what they expect, and how much of it is true: effects are multiplied by the slope
    of its losses on it, at most 1. Where the slope isn't two standard errors above 0 trees tell nothing of losses, and nothing is
    followed. Unlike `performance_reweighted` it sees what pairs and triples of columns do; like it, it holds as long as rows that
    are alike have the loss that they had, and says little of rows that are like none before. A sketch shows the expected loss.
    The idea is NannyML's Direct Loss Estimation. Source of the trees: Chen, T. and Guestrin, C. (2016), "XGBoost: a scalable tree
    boosting system", Proceedings of the 22nd ACM SIGKDD International Conference on Knowledge Discovery and Data Mining, 785-794.
    """

    reads_sample = True

    def __init__(self, setup: Setup) -> None:
        self._remembered = Remembered()
        self.signals: Sequence[Signal] = []
        known, spread = known_rows(setup), setup.profile.loss_std
        expecting = _Expecting(known) if known is not None and spread > 0 else None
        if known is None or expecting is None or not expecting.slope:
            return
        self._space, self._expecting = known.space, expecting
        scale, floor = expecting.slope * expecting.deviation / spread, setup.floors.loss_std
        self.signals = [
            Signal(
                "performance_estimate", "loss", "expected by trees", UNIT, floor, expecting.rows, scale, rises_only=True,
                skewness=expecting.skewness,
            )
        ]  # fmt: skip

    def read(self, view: BucketView) -> Readings:
        """Ask the trees about the sampled rows that have a score."""
        points = self._space.placed(scored(view.inputs)) if self.signals else None
        if points is None:
            return nothing(len(self.signals))
        expecting = self._expecting
        rise = float(expecting.of(points).mean()) - expecting.mean
        self._remembered.keep(view, {"estimated_loss": expecting.loss + expecting.slope * rise})
        level = np.array([rise / expecting.deviation])
        return Readings(level, np.array([float(len(points))]), level * self.signals[0].scale)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the loss that is to be expected."""
        del index  # there is one signal
        return Sketch({"estimated_loss": self._expecting.loss}, self._remembered.mean(views))


class _Expecting:
    """Trees that expect losses, fitted on half of the known rows; the others say what is usual and how much is true.

    `slope` is how much the others' losses rise for each that is expected, 0 where nothing is sure; `loss` is their mean loss.
    """

    def __init__(self, known: Known) -> None:
        half = len(known.points) // 2
        data = xgboost.QuantileDMatrix(known.points[:half], known.losses[:half], nthread=1, max_bin=_SETTINGS["max_bin"])
        self._trees = xgboost.train(_SETTINGS, data, _ROUNDS)
        usual, losses = self.of(known.points[half:]), known.losses[half:]
        self.rows, self.mean, self.deviation = float(len(usual)), float(usual.mean()), float(usual.std())
        self.loss = float(losses.mean())
        self.slope = self.skewness = 0.0
        if self.deviation > 0:
            away = (usual - self.mean) / self.deviation
            self.skewness = float((away**3).mean())
            rise = float((away * losses).mean())
            error = float((losses - self.loss - rise * away).std()) / np.sqrt(len(losses))
            self.slope = min(rise / self.deviation, 1.0) if rise > _SURE * error else 0.0

    def of(self, points: Floats) -> Floats:
        """Return the losses that are expected of rows [rows], before the slope."""
        return self._trees.inplace_predict(points).astype(np.float64)


def open_detector(setup: Setup) -> LossExpected:
    """Open it."""
    return LossExpected(setup)
