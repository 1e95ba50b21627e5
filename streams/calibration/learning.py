"""Learning what is usual from a history of buckets, and how often chance would have raised an alarm in more of the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streams.calibration.panel import Panel
from streams.contracts.bundle import Normal, Usual
from streams.detectors.base import BucketView, Floats, Readings
from streams.statistics.alarms import Course, Tail, drawn_blocks, learn_tail, persistent, smoothed
from streams.statistics.calendar import DAY_MS, DAYS, UTC, Integers, Season, learn_season
from streams.statistics.scan import Watched, improbability, scanned_heights
from streams.statistics.wander import Noise, Surprise, learn_noise

FEWEST_BUCKETS = 14
"""Below it nothing is learnt."""

_FEWEST_WEEKS = 4
_MONTH_WEEKS = 30 / 7
# Not a week, so that every weekday is in every part.
_PARTS = 5
# How many alarms are simulated, and the most levels that may take.
_WANTED_ALARMS = 400
_MOST_SIMULATED = 40_000_000
# So many surprises are no larger than the deviations beside it, where they are normal.
_TAIL, _TAIL_NORMAL = 0.98, 2.3263
# The tail is fitted from where alarms are a little more frequent than asked, at most in one bucket of ten. Not from where they
# are much more frequent: there they run into each other.
_OFTENER, _MOST_OFTEN = 1.5, 0.1
# Nothing smaller is written down: it would move no verdict.
_NOTHING = 1e-6


def weeks_missing(buckets: int, bucket_ms: int, alarms_per_month: float) -> int:
    """Return how many weeks of history a stated rate of false alarms lacks, given in how many buckets there was one.

    It needs each weekday four times, and to have been long enough that chance raised one alarm: what is rarer was never seen.
    """
    needed = max(_FEWEST_WEEKS, math.ceil(_MONTH_WEEKS / alarms_per_month))
    return max(math.ceil(needed - buckets * bucket_ms / (DAYS * DAY_MS)), 0)


class History(NamedTuple):
    """Readings of consecutive buckets: begins [T], levels [T, m] and rows [T, m]."""

    start_ms: Integers
    level: Floats
    rows: Floats


class Asked(NamedTuple):
    """What is asked of the alarms: how many chance may raise a bucket, when they begin and end, and the length of a bucket.

    Seasons are looked for in the hours and weekdays of `timezone`.
    """

    rate: float
    course: Course
    bucket_ms: int
    timezone: str = UTC


def read_history(panel: Panel, views: Sequence[BucketView]) -> History:
    """Read buckets, in order of event time."""
    return levels_of(panel, views, [panel.read(view) for view in views])


def levels_of(panel: Panel, views: Sequence[BucketView], found: Sequence[Readings]) -> History:
    """Return what was read of some buckets as a history."""
    shape = (len(views), len(panel.signals))
    return History(
        np.array([view.start_ms for view in views], np.int64),
        np.array([readings.level for readings in found]).reshape(shape),
        np.array([readings.rows for readings in found]).reshape(shape),
    )


def learn_normal(
    panel: Panel, history: History, asked: Asked, generator: np.random.Generator, *, seen: History | None = None
) -> Normal | None:
    """Learn what is usual, and the tail of false alarms; None without a signal, or of too few buckets or days.

    How surprising the past was is asked of each part of it with an expectation learnt from the others, so that the error of the
    expectation, its seasons above all, is in what is called usual.

    Args:
        panel: whose signals they are.
        history: their readings.
        asked: of the alarms.
        generator: for the simulated stream.
        seen: readings of buckets whose levels are off, but whose seasons are the history's, as of scores of rows that the model
            was made of; NaN in all other signals.
    """
    seasons = _seasons(history, seen, asked.timezone)
    history = history._replace(level=history.level - seasons.at(history.start_ms, asked.timezone))
    measured = history.start_ms[(history.rows > 0).any(axis=1)]
    if len(measured) < FEWEST_BUCKETS or len(np.unique(measured // DAY_MS)) < _PARTS:
        return None
    unseen = _unseen_surprises(history, asked, panel.skewness)
    width = _widths(unseen)
    tail = _tail(panel, unseen / width, asked, generator)
    season, noise = _learn(history, asked.timezone)
    return Normal(
        bucket_ms=asked.bucket_ms,
        since_ms=int(history.start_ms[0]),
        until_ms=int(history.start_ms[-1]) + asked.bucket_ms,
        buckets=len(history.start_ms),
        confirm_after=asked.course.confirm_after,
        clear_after=asked.course.clear_after,
        level=tail.level,
        rate=tail.rate,
        excess=tail.excess,
        signals=_usual(panel, season.over(seasons), noise, width, history),
        timezone=asked.timezone,
    )


def _seasons(history: History, seen: History | None, timezone: str) -> Season:
    """Return the seasons that are known beforehand, around a level of 0."""
    if seen is None:
        seen = history._replace(level=np.full_like(history.level, np.nan))
    found = learn_season(seen.start_ms, seen.level, timezone)
    return found._replace(level=np.zeros_like(found.level))


def _learn(history: History, timezone: str) -> tuple[Season, Noise]:
    season = learn_season(history.start_ms, history.level, timezone)
    return season, learn_noise(history.level - season.at(history.start_ms, timezone), _chance(history.rows))


def _unseen_surprises(history: History, asked: Asked, skewness: Floats) -> Floats:
    """How surprising each bucket was, its season and wandering expected from all days but its own part of them [T, m].

    Every fifth day is a part, so that a signal that was measured for a short time is in all of them, and a trend in each.
    How much a signal varies that doesn't wander is learnt from all days: what is rare, such as a storm, was in one of them.
    """
    start_ms, chance = history.start_ms, _chance(history.rows)
    _, whole = _learn(history, asked.timezone)
    part = np.unique(start_ms // DAY_MS, return_inverse=True)[1] % _PARTS
    owns = [part == number for number in range(_PARTS)]
    seasons = [learn_season(start_ms[~own], history.level[~own], asked.timezone) for own in owns]
    lefts = [history.level - season.at(start_ms, asked.timezone) for season in seasons]
    off = np.choose(part[:, None], lefts)
    passed = (np.diff(start_ms, prepend=start_ms[0] - asked.bucket_ms) // asked.bucket_ms).tolist()
    found = np.full_like(off, np.nan)
    for own, left in zip(owns, lefts, strict=True):
        noise = learn_noise(np.where(own[:, None], np.nan, left), chance).restless_as(whole)
        surprise = Surprise(noise, skewness)
        found[own] = np.array([surprise.step(*row) for row in zip(off, chance, passed, strict=True)])[own]
    return found


def _widths(surprises: Floats) -> Floats:
    """By how much surprises are wider than normal ones, in the middle or in the tail, at least 1 [m]."""
    sizes = np.abs(surprises)
    is_known = ~np.isnan(sizes).all(axis=0)
    width = np.ones(sizes.shape[1])
    found = sizes[:, is_known]
    deviation, tail = np.sqrt(np.nanmean(found**2, axis=0)), np.nanquantile(found, _TAIL, axis=0) / _TAIL_NORMAL
    width[is_known] = np.maximum(np.maximum(deviation, tail), 1.0)
    return width


def _tail(panel: Panel, surprises: Floats, asked: Asked, generator: np.random.Generator) -> Tail:
    block = max(DAY_MS // asked.bucket_ms, 1)
    often = min(_OFTENER * asked.rate, _MOST_OFTEN)
    number, signals = surprises.shape
    wanted = min(_WANTED_ALARMS / often / number, _MOST_SIMULATED / signals / number)
    rises_only = np.array([signal.rises_only for signal in panel.signals], bool)
    known = np.maximum((~np.isnan(surprises)).sum(axis=0), 1).astype(np.float64)
    watched = Watched(rises_only, np.zeros(len(known)), known)
    streams: list[list[tuple[Floats, Floats]]] = [[] for _ in panel.groups]
    for _ in range(max(math.ceil(wanted), 1)):
        drawn = smoothed(drawn_blocks(surprises, number, block, generator), generator)
        # An expectation's own error lasts as long as the expectation: each simulated stretch of history has another one.
        drawn += generator.normal(size=len(known)) / np.sqrt(known)
        found = improbability(scanned_heights(drawn, watched), rises_only) - panel.handicaps
        for group, stream in enumerate(streams):
            own = found[:, panel.group == group]
            stream.append((persistent(own, asked.course), own.max(axis=1)))
    joined = [(np.concatenate([one for one, _ in stream]), np.concatenate([one for _, one in stream])) for stream in streams]
    return learn_tail(joined, asked.course, often)


def _usual(panel: Panel, season: Season, noise: Noise, width: Floats, history: History) -> dict[str, dict[str, Usual]]:
    known = ~np.isnan(history.level)
    rows = np.where(known, history.rows, 0.0).sum(axis=0)
    signals: dict[str, dict[str, Usual]] = {}
    for index, (place, signal) in enumerate(zip(panel.places, panel.signals, strict=True)):
        signals.setdefault(place.detector, {})[signal.name] = Usual(
            level=float(season.level[index]),
            weekday=_written(season.weekday[:, index]),
            hour=_written(season.hour[:, index]),
            hour_of_week=_written(season.hour_of_week[:, index]),
            wandering=float(noise.wandering[index]),
            persistence=float(noise.persistence[index]),
            unrest=float(noise.unrest[index]),
            width=float(width[index]),
            rows=float(max(rows[index], 1.0)),
            buckets=int(known[:, index].sum()),
        )
    return signals


def _written(values: Floats) -> list[float]:
    return [] if np.abs(values).max() < _NOTHING else [round(float(value), 9) for value in values]


def _chance(rows: Floats) -> Floats:
    return 1 / np.maximum(rows, 1e-9)
