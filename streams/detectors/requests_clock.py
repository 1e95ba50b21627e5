"""Requests whose event time is wrong by the time at which the broker got them: clocks that are off, sources that lag."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams.detectors._contrasts import share_level
from streams.detectors.base import BucketView, Floats, Readings, Setup, Signal, Sketch, Stateless, nothing
from streams.statistics.arrivals import AHEAD, BINS, HOUR_BEHIND

_KIND, _WATCHED = "data_quality", "requests"
_PLACES = np.arange(BINS)
_NONE = np.zeros(2)


class RequestsClock(Stateless):
    """Follows how far event times lie behind the time of arrival, which share is a minute ahead of it, and which comes too late.

    Delays are counted in bins that are several times as wide as the one before; their mean bin is followed, and a row's deviation
    taken to be one bin: what varies by more is learnt as unrest. Rows that come after their bucket was closed are in no bin and
    no bucket; their share is followed with the next summary. No reference holds any of it, so nothing is said before what is
    usual was learnt from a log that has the times of arrival (`driftwake calibrate`, `log.received`). In a replay they would be
    those of the replay, and none are noted.
    """

    def __init__(self, setup: Setup) -> None:
        deviations, share = setup.floors.deviations, setup.floors.share
        self.signals: Sequence[Signal] = [
            Signal(_KIND, _WATCHED, "behind", "bins of delay", deviations, 0.0),
            Signal(_KIND, _WATCHED, "ahead", "share of rows", share, 0.0, share=0.0, rises_only=True),
            Signal(_KIND, _WATCHED, "late", "share of rows", share, 0.0, share=0.0, rises_only=True),
        ]

    def read(self, view: BucketView) -> Readings:
        """Read the counted delays, and how many rows were late."""
        inputs = view.inputs
        if inputs is None or not sum(inputs.arrivals):
            return nothing(len(self.signals))
        counted = float(sum(inputs.arrivals))
        mean = float(np.dot(inputs.arrivals, _PLACES)) / counted
        hits = np.array([float(sum(inputs.arrivals[:AHEAD])), float(inputs.late)])
        rows = np.array([counted, float(inputs.rows + inputs.late)])
        level: Floats = np.r_[mean, share_level(hits, rows, _NONE)]
        return Readings(level, np.r_[counted, rows], np.r_[mean, hits / rows])

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the shares that are ahead by a minute, behind by an hour, and late."""
        del index  # all are of the same rows
        found = [view.inputs for view in views if view.inputs is not None and any(view.inputs.arrivals)]
        arrivals = np.sum([inputs.arrivals for inputs in found], axis=0) if found else np.zeros(BINS)
        counted, late = max(float(arrivals.sum()), 1.0), sum(inputs.late for inputs in found)
        rows = sum(inputs.rows for inputs in found)
        return Sketch(
            {},
            {
                "ahead by a minute": float(arrivals[:AHEAD].sum()) / counted,
                "behind by an hour": float(arrivals[HOUR_BEHIND:].sum()) / counted,
                "late": late / max(rows + late, 1),
                "rows": float(rows),
            },
        )


def open_detector(setup: Setup) -> RequestsClock:
    """Open it."""
    return RequestsClock(setup)
