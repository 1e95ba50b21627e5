"""How soon a change would be confirmed: a history is watched up to many of its buckets, and from each on as if it had changed."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from streams.calibration.chart import Chart
from streams.calibration.panel import Panel
from streams.contracts.bundle import Interval, Normal
from streams.detectors.base import Floats, Readings
from streams.statistics.alarms import OVERWHELMING

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Rule(NamedTuple):
    """From which improbability on a signal stands out, in how many buckets in a row it must, and the length of a bucket."""

    threshold: float
    confirm_after: int
    bucket_ms: int


class Stream(NamedTuple):
    """Consecutive buckets: their begins and what was read of each [T]."""

    start_ms: Sequence[int]
    readings: Sequence[Readings]


class Power(NamedTuple):
    """Of the changes that were tried, the share that was found in time, and the middle delay of those in buckets (None of none).

    The change's first bucket counts, so that the least delay is 1.
    """

    tried: int
    share: float | None
    buckets: float | None


class Alarms:
    """Follows a panel's signals and says which of them have an alarm, as monitoring does but for the cool-down.

    Args:
        panel: whose signals they are.
        normal: what is usual of them.
        rule: when one has an alarm.
    """

    def __init__(self, panel: Panel, normal: Normal | None, rule: Rule) -> None:
        self._rule = rule
        self._chart = Chart(panel, normal, rule.bucket_ms, rule.threshold)
        self._floors = np.array([signal.floor for signal in panel.signals])
        self._rises_only = np.array([signal.rises_only for signal in panel.signals], bool)
        self._lasting = np.zeros(len(panel.signals), np.int64)

    def step(self, start_ms: int, readings: Readings) -> Flags:
        """Take in one bucket and return which signals have a confirmed alarm [m]."""
        looked = self._chart.step(start_ms, readings)
        effect = np.where(self._rises_only, looked.effect, np.abs(looked.effect))
        is_up = (looked.improbability >= self._rule.threshold) & (effect >= self._floors)
        self._lasting = np.where(is_up, self._lasting + 1, 0)
        is_overwhelming = is_up & (looked.improbability >= self._rule.threshold + OVERWHELMING)
        return (self._lasting >= self._rule.confirm_after) | is_overwhelming

    @property
    def is_up(self) -> Flags:
        """Which signals stood out in the last bucket [m]."""
        return self._lasting > 0


Beginnings = Sequence[tuple[int, Alarms]]


def watched_until(alarms: Alarms, past: Stream, starts: Sequence[int]) -> list[tuple[int, Alarms]]:
    """Watch a history and keep how it stood just before some of its buckets.

    Args:
        alarms: that haven't seen anything yet.
        past: the history.
        starts: numbers of buckets, rising.
    """
    found: list[tuple[int, Alarms]] = []
    wanted = set(starts)
    for number, (start_ms, readings) in enumerate(zip(past.start_ms, past.readings, strict=True)):
        if number in wanted:
            found.append((number, copy.deepcopy(alarms)))
        if len(found) == len(wanted):
            break
        alarms.step(start_ms, readings)
    return found


def delays(beginnings: Beginnings, changed: Stream, aims: Sequence[Integers], within: int) -> Floats:
    """Return in which bucket of a change its alarm is confirmed [beginnings, aims]; infinite where it isn't in time.

    NaN is where one of the signals stood out already when the change began: what an alarm that is there is worth isn't asked.

    Args:
        beginnings: how it stood before the change.
        changed: the history as if it had changed at its begin; all of `within` buckets from each beginning on.
        aims: for each thing that changes, its signals; the first to be confirmed counts.
        within: so many buckets there are to find it.
    """
    found = np.full((len(beginnings), len(aims)), np.inf)
    for row, (start, before) in zip(found, beginnings, strict=True):
        alarms = copy.deepcopy(before)
        for number in range(within):
            is_on = alarms.step(changed.start_ms[start + number], changed.readings[start + number])
            row[np.isinf(row) & [is_on[signals].any() for signals in aims]] = number + 1
            if np.isfinite(row).all():
                break
        row[[before.is_up[signals].any() for signals in aims]] = np.nan
    return found


def power_of(delayed: Floats) -> Power:
    """Sum up delays of any shape."""
    tried = delayed[~np.isnan(delayed)]
    in_time = tried[np.isfinite(tried)]
    if not len(tried):
        return Power(0, None, None)
    return Power(len(tried), len(in_time) / len(tried), float(np.median(in_time)) if len(in_time) else None)


def rate_of(count: int, exposure: float) -> Interval:
    """Return how many there are per unit of exposure, with the exact 95 % interval of a Poisson count.

    Source: Garwood, F. (1936), "Fiducial limits for the Poisson distribution", Biometrika 28, 437-442.
    """
    low = float(stats.chi2.ppf(0.025, 2 * count)) / 2 if count else 0.0
    high = float(stats.chi2.ppf(0.975, 2 * count + 2)) / 2
    return Interval(count / exposure, low / exposure, high / exposure)
