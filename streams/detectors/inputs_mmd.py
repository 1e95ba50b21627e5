"""All columns together: is their joint distribution the reference's? Maximum mean discrepancy of the sampled rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats
from scipy.spatial.distance import pdist

from streams.detectors._joint import WATCHED, Remembered, joint_of
from streams.detectors._tested import Tested, readings
from streams.detectors.base import BucketView, Floats, Readings, Setup, Signal, Sketch, Stateless, nothing

UNIT = "standard deviations of a row"
_FREQUENCIES = 256
_SEED = 2
# The kernel's width goes by the distances of so many rows of the reference.
_MEDIAN_ROWS = 1_000
# Where rows are more alike than the approximation knows of, it says 1, which is no number of deviations.
_LIKELIEST = 0.999


class InputsMmd(Stateless):
    """Compares the mean of the sampled rows with the reference's in the feature space of a Gaussian kernel.

    Means in that space are equal only if the distributions are, so any difference shows in time, also one that no column has by
    itself; of many columns it takes a large one, or one in many of them. The space is approximated by random Fourier features,
    always the same ones, so that memory doesn't grow with rows; twice the kernel's squared width is the median squared distance
    of rows. The effect is the distance, less what chance makes of it, in deviations of a row in that space. Sources: Gretton, A.,
    Borgwardt, K. M., Rasch, M. J., Schölkopf, B. and Smola, A. (2012), "A kernel two-sample test", Journal of Machine Learning
    Research 13, 723-773; Rahimi, A. and Recht, B. (2007), "Random features for large-scale kernel machines", Advances in Neural
    Information Processing Systems 20, 1177-1184; Garreau, D., Jitkrittum, W. and Kanagawa, M. (2017), "Large sample analysis of
    the median heuristic", arXiv:1707.07269.
    """

    reads_sample = True

    def __init__(self, setup: Setup) -> None:
        joint = joint_of(setup)
        self._remembered = Remembered()
        self.signals: Sequence[Signal] = []
        if joint is not None:
            self._space, self._kernel = joint.space, _Kernel(joint.reference)
            floor = setup.floors.deviations
            self.signals = [Signal("feature_drift", WATCHED, "kernel MMD", UNIT, floor, 1.0, scale=0.0, rises_only=True)]

    def read(self, view: BucketView) -> Readings:
        """Test the sampled rows."""
        points = self._space.sampled(view.inputs) if self.signals else None
        if points is None:
            return nothing(len(self.signals))
        found = self._kernel.test(points)
        self._remembered.keep(view, {"distance": found.distance})
        return readings([found])

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the distance."""
        del index  # there is one signal
        return Sketch({"distance": 0.0}, self._remembered.mean(views))


class _Kernel:
    """Random features of a Gaussian kernel, and the mean and covariance that the reference's rows have in them."""

    def __init__(self, reference: Floats) -> None:
        squares = pdist(reference[:_MEDIAN_ROWS], "sqeuclidean")
        # Where most rows are the same, the median says nothing.
        width = float(np.sqrt((np.median(squares) or squares.mean()) / 2))
        generator = np.random.default_rng(_SEED)
        self._frequencies = generator.normal(0.0, 1 / width, (reference.shape[1], _FREQUENCIES))
        features = self._features(reference)
        self._mean, self._rows = features.mean(axis=0), len(features)
        spectrum = np.linalg.eigvalsh(np.cov(features.T))
        self._traces = [float((spectrum**power).sum()) for power in (1, 2, 3)]

    def test(self, points: Floats) -> Tested:
        """Test whether rows [n, d] are draws of what the reference is of."""
        chance = 1 / len(points) + 1 / self._rows
        squared = float(((self._features(points).mean(axis=0) - self._mean) ** 2).sum())
        above = max(squared - chance * self._traces[0], 0.0)
        return Tested(self.chance_of(squared / chance), float(np.sqrt(above / self._traces[0])))

    def chance_of(self, squared: float) -> float:
        """Return the chance of a squared distance as large between means of the same, whose error has variance 1 for each row.

        It is a sum of chi-squares of one degree of freedom, weighted by the covariance's eigenvalues, and is taken for the
        chi-square with the same mean, variance and skewness. Source: Buckley, M. J. and Eagleson, G. K. (1988), "An approximation
        to the distribution of quadratic forms in normal random variables", Australian Journal of Statistics 30, 150-159.
        """
        first, second, third = self._traces
        freedom = second**3 / third**2
        chance = float(stats.chi2.sf(freedom + (squared - first) * np.sqrt(freedom / second), freedom))
        return min(chance, _LIKELIEST)

    def _features(self, points: Floats) -> Floats:
        """Return the features of rows, whose products are about the kernel's [rows, 2 * frequencies]."""
        phases = points @ self._frequencies
        return np.hstack([np.cos(phases), np.sin(phases)]) / np.sqrt(_FREQUENCIES)


def open_detector(setup: Setup) -> InputsMmd:
    """Open it."""
    return InputsMmd(setup)
