"""How long answers take: from when the broker got a request to when it got the prediction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams.detectors._contrasts import share_level
from streams.detectors.base import BucketView, Floats, Readings, Setup, Signal, Sketch, Stateless, nothing
from streams.statistics.waits import LOGARITHMS, longer, quantile

_SLOW_DOUBLINGS = 10
_NONE = np.zeros(1)


class ServingLatency(Stateless):
    """Follows the mean logarithm of the time that answers take, and the share of those that take a second (1,024 ms) or more.

    A row's deviation is taken to be a doubling; rows that are answered together wait together, and by day longer than by night:
    what varies by more is learnt as unrest and season. No reference holds how long answers take, so nothing is said before that
    was learnt from a log that has both times (`driftwake calibrate`, `log.received` and `log.answered`). Both times are the
    broker's where it stamps the topics' records, as those that driftwake makes; else they are clocks of who wrote the records.
    """

    def __init__(self, setup: Setup) -> None:
        floors = setup.floors
        self.signals: Sequence[Signal] = [
            Signal("serving", "answers", "time", "powers of two", floors.delay, 0.0, rises_only=True),
            Signal("serving", "answers", "slow", "share of rows", floors.share, 0.0, share=0.0, rises_only=True),
        ]

    def read(self, view: BucketView) -> Readings:
        """Read the counted times."""
        waits = view.inputs.waits if view.inputs is not None else []
        if not sum(waits):
            return nothing(len(self.signals))
        rows = np.array([float(sum(waits))])
        slow = np.array([float(longer(waits, _SLOW_DOUBLINGS))])
        mean = _mean(waits)
        level: Floats = np.r_[mean, share_level(slow, rows, _NONE)]
        return Readings(level, np.r_[rows, rows], np.r_[mean, slow / rows])

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the times in the middle, of the slowest hundredth, and the share of slow answers."""
        del index  # both are of the same times
        found = [view.inputs.waits for view in views if view.inputs is not None and view.inputs.waits]
        waits = np.sum(found, axis=0).tolist() if found else []
        rows = sum(waits)
        after = {"p50_ms": round(quantile(waits, 0.5), 1), "p99_ms": round(quantile(waits, 0.99), 1)}
        return Sketch({}, {**after, "slow": longer(waits, _SLOW_DOUBLINGS) / max(rows, 1), "rows": float(rows)})


def _mean(waits: Sequence[int]) -> float:
    return float(np.dot(waits, LOGARITHMS) / sum(waits))


def open_detector(setup: Setup) -> ServingLatency:
    """Open it."""
    return ServingLatency(setup)
