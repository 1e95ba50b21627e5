"""One bundle's signals from bucket to bucket: how improbable is what each has done lately, given what is usual?"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streams.calibration.panel import Panel
from streams.contracts.bundle import Normal, Usual
from streams.detectors.base import Floats, Readings, Signal
from streams.statistics.calendar import DAYS, HOURS, UTC, Season
from streams.statistics.scan import LENGTHS, Flags, Integers, Scan, Scanned, Watched, improbability
from streams.statistics.wander import Noise, Surprise


class Looked(NamedTuple):
    """What a chart says of each signal after a bucket [m each].

    `improbability` is -log10 of the chance, handicapped for all that is looked at, so that one scale holds for all; `effect` is
    the mean over the stretch that stands out most, less what the season expects, in the signal's unit; `since_ms` is when that
    stretch began.
    """

    improbability: Floats
    effect: Floats
    since_ms: Integers
    rows: Floats


class Expectation(NamedTuple):
    """What is usual of a panel's signals, as arrays [m]."""

    season: Season
    noise: Noise
    width: Floats
    rows: Floats


class Chart:
    """Follows the signals of a panel.

    A signal whose change is over is begun anew with: what was is no evidence of what is, however much it stood out.

    Args:
        panel: whose readings they are.
        normal: what was measured; a signal that it lacks is taken to be undisturbed and independent.
        bucket_ms: length of a bucket.
        threshold: the improbability from which on a signal stands out.
    """

    def __init__(self, panel: Panel, normal: Normal | None, bucket_ms: int, threshold: float) -> None:
        self._bucket_ms = bucket_ms
        self._timezone = normal.timezone if normal is not None else UTC
        self._threshold = threshold
        self._floors = np.array([signal.floor for signal in panel.signals])
        # For how many buckets each signal has stood out [m].
        self._lasting = np.zeros(len(panel.signals), np.int64)
        self._scale = np.array([signal.scale for signal in panel.signals])
        self._share = np.array([np.nan if signal.share is None else signal.share for signal in panel.signals])
        self._rises_only = np.array([signal.rises_only for signal in panel.signals], bool)
        self._handicaps = panel.handicaps
        self._expected = expectation_of(panel, normal)
        self.is_expected: Flags = ~np.isnan(self._expected.season.level)
        """Of which signals it is known what is usual; of all others nothing is ever surprising [m]."""
        self._surprise = Surprise(self._expected.noise, panel.skewness)
        fewest = np.array([signal.fewest for signal in panel.signals])
        self._scan = Scan(Watched(self._rises_only, fewest, self._expected.rows))
        self._starts: deque[int] = deque(maxlen=LENGTHS[-1])

    def step(self, start_ms: int, readings: Readings) -> Looked:
        """Take in one bucket."""
        buckets = (start_ms - self._starts[-1]) // self._bucket_ms if self._starts else 1
        self._starts.append(start_ms)
        season = self._expected.season.at(start_ms, self._timezone)
        chance = 1 / np.maximum(readings.rows, 1e-9)
        surprises = self._surprise.step(readings.level - season, chance, max(buckets, 1)) / self._expected.width
        found = self._scan.step(surprises, readings.rows, readings.effect - self._usual_effect(season))
        improbabilities = improbability(found.height, self._rises_only) - self._handicaps
        is_over = self._over(improbabilities, found)
        starts = np.array(self._starts)
        return Looked(
            np.where(is_over, -np.inf, improbabilities),
            found.effect,
            starts[np.maximum(len(starts) - found.length, 0)],
            found.rows,
        )

    def _usual_effect(self, season: Floats) -> Floats:
        """Return what effect the season makes by itself [m]."""
        share = np.nan_to_num(self._share)
        in_season = np.sin(np.clip(np.arcsin(np.sqrt(share)) + season / 2, 0, np.pi / 2)) ** 2
        return np.where(np.isnan(self._share), self._scale * season, in_season - share)

    def _over(self, improbabilities: Floats, found: Scanned) -> Flags:
        """Say whose change is over: lately less than half of it is left, or too little to matter [m]."""
        self._lasting = np.where(improbabilities >= self._threshold, self._lasting + 1, 0)
        left = found.recent_effect * np.sign(found.effect)
        is_over = (self._lasting > found.recent) & (left < np.maximum(self._floors, np.abs(found.effect) / 2))
        self._lasting[is_over] = 0
        self._scan.forget(is_over)
        return is_over


def expectation_of(panel: Panel, normal: Normal | None) -> Expectation:
    """Return what is usual of a panel's signals, in their order."""
    known = normal.signals if normal is not None else {}
    found = [
        _usual(known.get(place.detector, {}).get(signal.name), signal)
        for place, signal in zip(panel.places, panel.signals, strict=True)
    ]
    return Expectation(
        Season(
            np.array([one.level for one in found]),
            _columns([one.weekday for one in found], DAYS),
            _columns([one.hour for one in found], HOURS),
            _columns([one.hour_of_week for one in found], DAYS * HOURS),
        ),
        Noise(*(np.array([getattr(one, part) for one in found]) for part in ("wandering", "persistence", "unrest"))),
        np.array([one.width for one in found]),
        np.array([one.rows for one in found]),
    )


def _usual(learnt: Usual | None, signal: Signal) -> Usual:
    """Return what was learnt of a signal; of one that was never measured its reference is usual, and nothing without one."""
    if learnt is not None and learnt.buckets:
        return learnt
    return Usual(level=0.0 if signal.reference else math.nan, rows=max(signal.reference, 1.0), buckets=0)


def _columns(lists: Sequence[Sequence[float]], length: int) -> Floats:
    whole = np.zeros((length, len(lists)))
    for column, values in enumerate(lists):
        if values:
            whole[:, column] = values
    return whole
