"""Reading the buckets of a log once with each detector, and the newest alone where a detector is too expensive for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from streams.calibration.panel import Panel, Recorded, joined
from streams.detectors.base import BucketView, Readings
from streams.runtime.clock import WallClock

MOST_BUCKETS: Final[Mapping[str, int]] = {"attributions_shapley": 1_500, "inputs_classifier": 1_500}
"""Buckets that are read at most with a kind, so that none takes more than some minutes: each costs up to 0.1 s with these."""

Tell = Callable[[str], None]


class Read(NamedTuple):
    """What was read of each bucket, a panel that gives it again, and how many buckets each detector wasn't asked about."""

    readings: list[Readings]
    recorded: Recorded
    left_out: Mapping[str, int]


def read_buckets(panel: Panel, views: Sequence[BucketView], fewest: int, clock: WallClock, tell: Tell) -> Read:
    """Read buckets, in order of event time.

    Args:
        panel: the detectors.
        views: the buckets.
        fewest: buckets with requests that each detector is asked about, if there are as many, however expensive it is.
        clock: says how long each took.
        tell: is told.
    """
    found, left_out = [], {}
    for kind in panel.kinds:
        begun, first = clock.monotonic(), _first(views, max(MOST_BUCKETS.get(kind, len(views)), fewest))
        found.append([panel.read_one(kind, view if number >= first else None) for number, view in enumerate(views)])
        left_out[kind] = first
        which = f"the newest {len(views) - first:,} of {len(views):,} buckets" if first else f"{len(views):,} buckets"
        tell(f"{kind}: {which} read in {clock.monotonic() - begun:.1f} s")
    readings = [joined(of_bucket) for of_bucket in zip(*found, strict=True)]
    starts = [view.start_ms for view in views]
    return Read(readings, Recorded(panel, dict(zip(starts, readings, strict=True))), left_out)


def _first(views: Sequence[BucketView], most: int) -> int:
    """Return the number of the first bucket from which on at most so many have something to read."""
    told = np.flatnonzero([view.inputs is not None for view in views])
    return int(told[-most]) if len(told) > most else 0
