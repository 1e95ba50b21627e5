"""What a bucket of event time is expected to look like by its hour and weekday, learnt from weeks of history.

A day's level follows its weekday, an hour's distance from it the hour of the day, and what is left the hour of the week. Each
of the three is shrunk towards nothing as far as its differences are no larger than chance makes them, so that a stream without
seasons pays next to nothing for having been asked. Hours are those of a clock on the wall where `timezone` is, so that people's
habits stay where they are when the clocks are changed. Source of the shrinkage: Efron, B. and Morris, C. (1973), "Stein's
estimation rule and its competitors: an empirical Bayes approach", Journal of the American Statistical Association 68, 117-130.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
HOURS, DAYS = 24, 7
UTC = "UTC"
# All offsets have been whole quarters of an hour since 1972, and change at whole ones.
_QUARTER_MS = 900_000
# Below this many repetitions of a cell nothing can be said of how much it varies by chance.
_FEWEST_REPEATS = 2


class Season(NamedTuple):
    """Expected levels of signals by calendar: overall [m], by weekday [7, m], by hour [24, m], by hour of the week [168, m]."""

    level: Floats
    weekday: Floats
    hour: Floats
    hour_of_week: Floats

    def at(self, start_ms: Integers | int, timezone: str = UTC) -> Floats:
        """Return what is expected of buckets that begin at these times [..., m]."""
        weekday, hour = calendar_cells(local_ms(start_ms, timezone))
        return self.level + self.weekday[weekday] + self.hour[hour] + self.hour_of_week[weekday * HOURS + hour]

    def over(self, other: Season) -> Season:
        """Return what is expected when this was learnt from what another season had been taken off."""
        return Season(*(own + theirs for own, theirs in zip(self, other, strict=True)))


def is_timezone(name: str) -> bool:
    """Say whether a timezone is known here by this name."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def local_ms(start_ms: Integers | int, timezone: str) -> Integers:
    """Return what clocks on the wall show at these times, as if they showed UTC [...].

    Raises:
        KeyError: there is no such timezone.
    """
    times = np.asarray(start_ms, np.int64)
    if timezone == UTC:
        return times
    zone = zoneinfo.ZoneInfo(timezone)
    quarters, which = np.unique(times.ravel() // _QUARTER_MS, return_inverse=True)
    offsets = np.array([_offset_ms(quarter * _QUARTER_MS, zone) for quarter in quarters.tolist()], np.int64)
    return times + offsets[which].reshape(times.shape)


def _offset_ms(time_ms: int, zone: zoneinfo.ZoneInfo) -> int:
    offset = dt.datetime.fromtimestamp(time_ms / 1_000, zone).utcoffset()
    return round(offset.total_seconds() * 1_000) if offset is not None else 0


def calendar_cells(start_ms: Integers) -> tuple[Integers, Integers]:
    """Return weekday (0 is Thursday, the first day of 1970) and hour of the day of times of `local_ms`."""
    hours = start_ms // HOUR_MS
    return (hours // HOURS) % DAYS, hours % HOURS


def learn_season(start_ms: Integers, values: Floats, timezone: str = UTC) -> Season:
    """Learn what is expected from a history.

    Args:
        start_ms: begins of the buckets [T], rising.
        values: a signal's level in each [T, m]; NaN where nothing was measured.
        timezone: whose hours and weekdays.
    """
    start_ms = local_ms(start_ms, timezone)
    days = start_ms // DAY_MS
    first = int(days[0])
    daily = _whole_days(values, (days - first).astype(np.int64), int(days[-1]) - first + 1)
    level = _mean(daily)
    weekdays = (first + np.arange(len(daily))) % DAYS
    by_weekday = _shrunk(daily - level, weekdays, DAYS)
    if len(np.unique(start_ms // HOUR_MS % HOURS)) == 1:
        nothing = np.zeros_like(level)
        return Season(level, by_weekday, np.tile(nothing, (HOURS, 1)), np.tile(nothing, (DAYS * HOURS, 1)))
    within = _hourly(values - daily[days - first], start_ms)
    places = within.hours % HOURS
    by_hour = _shrunk(within.means, places, HOURS)
    by_both = _shrunk(within.means - by_hour[places], within.hours % (DAYS * HOURS), DAYS * HOURS)
    return Season(level, by_weekday, by_hour, by_both)


def _whole_days(values: Floats, days: Integers, number: int) -> Floats:
    """Mean of each day [number, m]; NaN where less than half of one was measured: part of a day has another mean."""
    counts = _counts(values, days, number)
    return np.where(counts * 2 >= counts.max(axis=0), _means(values, days, number), np.nan)


class _Hourly(NamedTuple):
    hours: Integers
    means: Floats


def _hourly(values: Floats, start_ms: Integers) -> _Hourly:
    """Average what lies in one hour of one day, so that each hour of the history is one repetition."""
    hours, which = np.unique(start_ms // HOUR_MS, return_inverse=True)
    return _Hourly(hours, _means(values, which, len(hours)))


def _shrunk(values: Floats, cells: Integers, number: int) -> Floats:
    """Return the mean of each cell [number, m], shrunk towards 0 as far as the cells differ by chance.

    Args:
        values: one repetition of a cell a row [n, m].
        cells: which cell each row belongs to [n].
        number: of cells.
    """
    counts = _counts(values, cells, number)
    means = np.where(counts > 0, _means(values, cells, number), 0.0)
    means = np.nan_to_num(means)
    repeated = counts >= _FEWEST_REPEATS
    spare = np.where(repeated, counts - 1, 0).sum(axis=0)
    left = np.where(np.isnan(values) | ~repeated[cells], 0.0, values - means[cells])
    with np.errstate(divide="ignore", invalid="ignore"):
        chance = (left**2).sum(axis=0) / spare  # variance of one repetition [m]
        noise = chance / np.maximum(counts, 1)
        between = np.maximum((np.where(repeated, means**2 - noise, 0.0)).sum(axis=0) / repeated.sum(axis=0), 0.0)
        kept = between / (between + noise)
    return np.where(repeated & np.isfinite(kept), means * kept, 0.0)


def _counts(values: Floats, groups: Integers, number: int) -> Floats:
    return _sums((~np.isnan(values)).astype(np.float64), groups, number)


def _means(values: Floats, groups: Integers, number: int) -> Floats:
    """Mean of each group [number, m]; NaN where it is empty."""
    counts = _counts(values, groups, number)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(counts > 0, _sums(np.nan_to_num(values), groups, number) / counts, np.nan)


def _sums(values: Floats, groups: Integers, number: int) -> Floats:
    sums = np.zeros((number, values.shape[1]))
    np.add.at(sums, groups, values)
    return sums


def _mean(values: Floats) -> Floats:
    known = ~np.isnan(values)
    return np.nan_to_num(np.nan_to_num(values).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
