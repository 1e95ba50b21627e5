"""How many requests come: more or fewer than is usual at that hour of the week. A stretch without any isn't looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from streams.detectors._learnt import usual_level
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, Stateless, nothing

KIND = "inputs_volume"
_POWERS_OF_TWO = 1 / math.log(2)


class InputsVolume(Stateless):
    """Follows the logarithm of the number of a bucket's requests, whichever bundle answered them.

    The logarithm's seasons add up, whatever the level that traffic has grown to, and what chance adds to it has a variance of
    1 / rows where requests are independent; counts that vary by more have the same unrest by night and by day. In units of their
    estimated error these logarithms are about as skewed as the counts themselves, by the root of 1 / rows. No reference holds how
    much traffic is usual, so nothing is said before that was learnt from a whole log (`driftwake calibrate`). The first bucket is
    left out: monitoring may have begun within it. Source: Bartlett, M. S. (1947), "The use of transformations", Biometrics 3,
    39-52.
    """

    def __init__(self, setup: Setup) -> None:
        self._normal = setup.profile.normal
        floor = setup.floors.volume
        self.signals: Sequence[Signal] = [
            Signal("data_quality", "requests", "rows", "powers of two", floor, 0.0, scale=_POWERS_OF_TWO, skewness=1.0)
        ]
        self._has_begun = False

    def read(self, view: BucketView) -> Readings:
        """Read the number of requests."""
        if view.requests is None:
            return nothing(1)
        has_begun, self._has_begun = self._has_begun, True
        if not has_begun:
            return nothing(1)
        level = np.array([math.log(view.requests.rows)])
        return Readings(level, np.array([float(view.requests.rows)]), level * _POWERS_OF_TWO)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show how many requests came in a bucket, and how many are usual at that time."""
        del index  # there is one
        found = [(view.start_ms, view.requests.rows) for view in views if view.requests is not None]
        rows, name = [rows for _, rows in found], self.signals[0].name
        expected = [level for start_ms, _ in found if (level := usual_level(self._normal, KIND, name, start_ms)) is not None]
        before = {"rows": float(np.mean(np.exp(expected)))} if expected else {}
        return Sketch(before, {"rows": float(np.mean(rows or [0])), "buckets": float(len(rows))})


def open_detector(setup: Setup) -> InputsVolume:
    """Open it."""
    return InputsVolume(setup)
