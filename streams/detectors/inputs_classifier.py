"""All columns together: can trees tell the bucket's rows from the reference's? Domain classifier on rows they haven't seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xgboost
from scipy import stats

from streams.detectors._joint import WATCHED, Remembered, joint_of
from streams.detectors._tested import Tested, readings
from streams.detectors.base import BucketView, Floats, Readings, Setup, Signal, Sketch, Stateless, nothing

# Few rows and small trees: a bucket takes some hundredths of a second.
_REFERENCE_ROWS = 2_000
_ROUNDS = 20
_SETTINGS = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_bin": 64,
    "max_depth": 3,
    "learning_rate": 0.3,
    "min_child_weight": 5,
    "nthread": 1,
    "seed": 0,
    "verbosity": 0,
}
_SHOWN = 3


class InputsClassifier(Stateless):
    """Follows the area under the ROC curve of a domain classifier, which is a half where the rows are the same.

    Trees are fitted on every other one of the sampled rows and of a fixed part of the reference, and judged on the others; then
    the other way round. Where there is nothing to tell, the area of rows that trees haven't seen has the mean and variance of
    Mann and Whitney's statistic, whatever the trees are. The two areas go together, because a chance difference that trees learn
    from one half is judged by the other, and the other's by it; their mean is therefore given the error of one of them, which it
    has at most. A sketch names the columns that the trees tell most by. Sources: Lopez-Paz, D. and Oquab, M. (2017), "Revisiting
    classifier two-sample tests", International Conference on Learning Representations; Mann, H. B. and Whitney, D. R. (1947),
    "On a test of whether one of two random variables is stochastically larger than the other", Annals of Mathematical Statistics
    18, 50-60.
    """

    reads_sample = True

    def __init__(self, setup: Setup) -> None:
        joint = joint_of(setup)
        self._remembered = Remembered()
        self.signals: Sequence[Signal] = []
        if joint is not None:
            self._space, self._reference = joint.space, joint.reference[:_REFERENCE_ROWS]
            floor = setup.floors.domain_auc
            self.signals = [Signal("feature_drift", WATCHED, "domain classifier", "AUC", floor, 1.0, scale=0.0, rises_only=True)]

    def read(self, view: BucketView) -> Readings:
        """Test the sampled rows."""
        points = self._space.sampled(view.inputs) if self.signals else None
        if points is None:
            return nothing(len(self.signals))
        first, second = (_Half(self._reference[half::2], points[half::2]) for half in (0, 1))
        trees = [_fitted(half) for half in (first, second)]
        areas = [_area(trees[0], second), _area(trees[1], first)]
        excess = sum(area.excess for area in areas) / 2
        error = sum(area.error for area in areas) / 2
        self._remembered.keep(view, {"AUC": 0.5 + excess, **self._told(trees)})
        return readings([Tested(float(stats.norm.sf(excess / error)) if error > 0 else 0.5, excess)])

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the area, and the columns that the trees told most by: which share of what their splits achieved was theirs."""
        del index  # there is one signal
        after = self._remembered.mean(views)
        most = sorted(after, key=lambda name: -after[name])
        shown = ["AUC", *[name for name in most if name != "AUC"][:_SHOWN]] if after else []
        return Sketch({"AUC": 0.5}, {name: after[name] for name in shown})

    def _told(self, trees: Sequence[xgboost.Booster]) -> dict[str, float]:
        """Return each column's share of what the splits achieved."""
        gains = dict.fromkeys((f"gain of {column}" for column in self._space.columns), 0.0)
        for booster in trees:
            for axis, gain in booster.get_score(importance_type="total_gain").items():
                gains[f"gain of {self._space.columns[int(axis[1:])]}"] += gain
        whole = sum(gains.values())
        return {name: gain / whole if whole else 0.0 for name, gain in gains.items()}


class _Half(NamedTuple):
    """Half of the reference's and of the bucket's rows [rows, d each]."""

    reference: Floats
    bucket: Floats


class _Area(NamedTuple):
    """An area under the ROC curve less a half, and its standard error where there is nothing to tell."""

    excess: float
    error: float


def _fitted(half: _Half) -> xgboost.Booster:
    is_bucket = np.repeat([0.0, 1.0], [len(half.reference), len(half.bucket)])
    data = xgboost.QuantileDMatrix(np.vstack(half), is_bucket, nthread=1, max_bin=_SETTINGS["max_bin"])
    return xgboost.train(_SETTINGS, data, _ROUNDS)


def _area(trees: xgboost.Booster, unseen: _Half) -> _Area:
    """Return the area of rows by what the trees say of them; rows of which they say the same count as ties."""
    return area_of(*(trees.inplace_predict(rows) for rows in unseen))


def area_of(before: Floats, after: Floats) -> _Area:
    """Return the area under the ROC curve by which values after lie above those before; equal ones count a half."""
    values = np.r_[before, after]
    number = len(values)
    ranks = stats.rankdata(values)[len(before) :]
    area = (ranks.mean() - (len(after) + 1) / 2) / len(before)
    ties = np.unique(values, return_counts=True)[1].astype(np.float64)
    spread = number + 1 - float((ties**3 - ties).sum()) / (number * (number - 1))
    return _Area(float(area) - 0.5, math.sqrt(max(spread, 0.0) / (12 * len(before) * len(after))))


def open_detector(setup: Setup) -> InputsClassifier:
    """Open it."""
    return InputsClassifier(setup)
