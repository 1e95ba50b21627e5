"""All columns together: do rows still lie where the reference's do, near the plane of its principal components?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams.detectors._joint import WATCHED, Joint, Remembered, joint_of
from streams.detectors.base import BucketView, Floats, Readings, Setup, Signal, Sketch, Stateless, nothing

UNIT = "standard deviations of a row"
_EXPLAINED = 0.8
_SHOWN = 3
# Columns that are made of each other leave no error over; any would then be endless deviations of it.
_LEAST_DEVIATION = 0.01


class InputsPca(Stateless):
    """Follows the mean reconstruction error of the sampled rows: how far they lie from the plane.

    Columns that no longer go together as they did show in it, though each by itself is as it was: the error rises. It falls where
    what the components leave over gets less; what only moves along them leaves it as it is. They explain 80 % of the reference's
    variance, all but one at most, and are fitted on half of its rows; what is usual of the error is measured on the other half,
    which they haven't seen. The error is the root of Jackson and Mudholkar's Q, which is less skewed. A sketch tells how much of
    Q the columns have whose part has grown most.
    Sources: Jackson, J. E. and Mudholkar, G. S. (1979), "Control procedures for residuals associated with principal component
    analysis", Technometrics 21, 341-349; Miller, P., Swanson, R. E. and Heckler, C. E. (1998), "Contribution plots: a missing
    link in multivariate quality control", Applied Mathematics and Computer Science 8, 775-792.
    """

    reads_sample = True

    def __init__(self, setup: Setup) -> None:
        joint = joint_of(setup)
        # One axis alone has no others to go together with.
        self._plane = _Plane(joint) if joint is not None and len(joint.space.columns) > 1 else None
        self._remembered = Remembered()
        self.signals: Sequence[Signal] = []
        if (plane := self._plane) is not None:
            floor = setup.floors.deviations
            signal = Signal("feature_drift", WATCHED, "PCA reconstruction", UNIT, floor, plane.rows, skewness=plane.skewness)
            self.signals = [signal]

    def read(self, view: BucketView) -> Readings:
        """Read the sampled rows; both level and effect are the mean of their standardised errors."""
        plane = self._plane
        points = plane.space.sampled(view.inputs) if plane is not None else None
        if plane is None or points is None:
            return nothing(len(self.signals))
        squares = plane.squares(points)
        self._remembered.keep(view, plane.told(squares))
        level = np.array([(_errors(squares).mean() - plane.mean) / plane.deviation])
        return Readings(level, np.array([float(len(points))]), level)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the mean error, and the columns whose part in it has grown most."""
        del index  # there is one signal
        after = self._remembered.mean(views)
        before = self._plane.usual if self._plane is not None else {}
        most = sorted(after, key=lambda name: before[name] - after[name])
        shown = ["error", *[name for name in most if name != "error"][:_SHOWN]] if after else []
        return Sketch({name: before[name] for name in shown}, {name: after[name] for name in shown})


class _Plane:
    """The principal components of half the reference, and the errors of the other half."""

    def __init__(self, joint: Joint) -> None:
        self.space = joint.space
        half = len(joint.reference) // 2
        fitted, held_out = joint.reference[:half], joint.reference[half:]
        self._middle = fitted.mean(axis=0)
        _, widths, directions = np.linalg.svd(fitted - self._middle, full_matrices=False)
        explained = np.cumsum(widths**2) / max(float((widths**2).sum()), 1e-300)
        kept = min(int(np.searchsorted(explained, _EXPLAINED)) + 1, len(joint.space.columns) - 1)
        self._directions: Floats = directions[:kept]
        names = list(dict.fromkeys(joint.space.columns))
        # Which column each axis belongs to [d, columns].
        self._belongs = np.array([[float(column == name) for name in names] for column in joint.space.columns])
        self._names = [f"Q of {name}" for name in names]
        squares = self.squares(held_out)
        errors = _errors(squares)
        self.rows, self.mean = float(len(errors)), float(errors.mean())
        self.deviation = max(float(errors.std()), _LEAST_DEVIATION)
        self.skewness = float((((errors - self.mean) / self.deviation) ** 3).mean())
        self.usual = self.told(squares)

    def squares(self, points: Floats) -> Floats:
        """Return the squared distance from the plane along each axis [rows, d]."""
        off = points - self._middle
        squares: Floats = (off - off @ self._directions.T @ self._directions) ** 2
        return squares

    def told(self, squares: Floats) -> dict[str, float]:
        """Return the mean error of rows, and each column's part in the mean of Q."""
        parts = squares.mean(axis=0) @ self._belongs
        return {"error": float(_errors(squares).mean()), **dict(zip(self._names, parts.tolist(), strict=True))}


def _errors(squares: Floats) -> Floats:
    return np.sqrt(squares.sum(axis=1))


def open_detector(setup: Setup) -> InputsPca:
    """Open it."""
    return InputsPca(setup)
