"""How long nothing came before a bucket: the buckets without any request since the last one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streams.detectors._contrasts import share_level
from streams.detectors.base import BucketView, Floats, Readings, Setup, Signal, Sketch, Stateless, nothing
from streams.statistics.calendar import DAY_MS, DAYS
from streams.statistics.scan import LENGTHS

_HOUR_MS = 3_600_000.0
# How many buckets of an hour of the week that of all hours weighs as much as.
_DRAWN_BY = 0.5
# A longer silence is looked at as one of so many weeks.
_MOST_WEEKS = 4


class RequestsSilence(Stateless):
    """Follows how many buckets since the last one with a request were silent, against how many are at those times of the week.

    A silence is told when it is over: by the first bucket that has a request again. One that lasts is told by no bucket; alert on
    how far event time has come for that (`driftwake_stage_watermark_seconds`). How often each bucket of the week is silent is
    remembered, so that a night without requests is none where every night is, and the day after it is one; nothing is said of a
    stretch before each bucket of the week in it was seen once. The silent ones of a stretch are a share, binomial where buckets
    are silent independently of each other; what varies by more is learnt as unrest. No reference holds what is usual beyond that,
    so nothing is said before it was learnt from a log with all requests (`driftwake calibrate`). Where none ever was, four silent
    buckets in a row are 3.6 deviations and eight 5.9. Requests of all bundles count; what came before the first bucket under a
    bundle isn't known.
    """

    def __init__(self, setup: Setup) -> None:
        self._bucket_ms = setup.bucket_ms
        # A bucket may be longer than a week, or lie across its end.
        self._cells = max(DAYS * DAY_MS // setup.bucket_ms, 1)
        floor = setup.floors.share
        self.signals: Sequence[Signal] = [
            Signal("data_quality", "requests", "silence", "share of buckets", floor, 0.0, share=0.0, rises_only=True)
        ]
        # Buckets by their place in the week: how many there were, and how many of them were silent.
        self._seen, self._silent = np.zeros(self._cells, np.int64), np.zeros(self._cells, np.int64)
        self._last_ms: int | None = None
        # Silent ones, and how many were to be expected, before each bucket that spoke.
        self._found: dict[int, tuple[int, float]] = {}

    def read(self, view: BucketView) -> Readings:
        """Read how many buckets were silent before this one."""
        if view.requests is None or not view.requests.rows:
            return nothing(1)
        before, self._last_ms = self._last_ms, view.end_ms
        silent = 0 if before is None else max((view.start_ms - before) // self._bucket_ms, 0)
        number = view.start_ms // self._bucket_ms
        places = np.arange(number - min(silent, _MOST_WEEKS * self._cells), number + 1) % self._cells
        chance = self._chance(places)
        np.add.at(self._seen, places, 1)
        np.add.at(self._silent, places[:-1], 1)
        if before is None or chance is None:
            return nothing(1)
        hits, whole = np.array([len(places) - 1.0]), np.array([float(len(places))])
        self._found[view.start_ms] = silent, float(chance.sum())
        while len(self._found) > LENGTHS[-1]:
            del self._found[next(iter(self._found))]
        expected = np.array([float(chance.mean())])
        return Readings(share_level(hits, whole, expected), whole, hits / whole - expected)

    def _chance(self, places: npt.NDArray[np.int64]) -> Floats | None:
        """Say how often buckets at these places of the week are silent; None where one of them was never seen."""
        seen = self._seen[places]
        if not seen.all():
            return None
        overall = self._silent.sum() / self._seen.sum()
        found: Floats = (self._silent[places] + _DRAWN_BY * overall) / (seen + _DRAWN_BY)
        return found

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show how many hours the longest silence lasted, how many buckets of how many were silent, and how many usually are."""
        del index  # there is one
        found = [self._found[view.start_ms] for view in views if view.start_ms in self._found]
        silent = [one for one, _ in found]
        hours = max(silent, default=0) * self._bucket_ms / _HOUR_MS
        after = {"hours": hours, "silent": float(sum(silent)), "buckets": float(sum(silent) + len(silent))}
        return Sketch({"silent": sum(expected for _, expected in found)} if found else {}, after)


def open_detector(setup: Setup) -> RequestsSilence:
    """Open it."""
    return RequestsSilence(setup)
