"""How long nothing came, worked out by hand; learnt from a history with silent nights, and with none."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from streams.calibration.chart import Chart
from streams.calibration.learning import Asked, learn_normal, read_history
from streams.calibration.panel import Panel
from streams.contracts.bundle import Normal
from streams.detectors import requests_silence
from streams.detectors.base import BucketView, Detector, Floors, Requests, Setup
from streams.detectors.checks import World
from streams.statistics.alarms import Course, Tail

HOUR_MS = 3_600_000
START_MS = 20_006 * 24 * HOUR_MS
WORLD = World(0)
SETUP = Setup(WORLD.manifest, WORLD.profile, Floors(), HOUR_MS)


def opened() -> Detector:
    return requests_silence.open_detector(SETUP)


def at(hour: int, rows: int | None = 9) -> BucketView:
    """A bucket of which nothing is known but how many came."""
    start_ms = START_MS + hour * HOUR_MS
    return BucketView("m", "d", start_ms, start_ms + HOUR_MS, None, None, None if rows is None else Requests(rows, 0))


WEEK = 168


def warmed(hours: Sequence[int] = range(WEEK)) -> Detector:
    """One that has seen each hour of a week."""
    detector = opened()
    for hour in hours:
        assert np.isnan(detector.read(at(hour)).level).all(), "it has seen no such hour before"
    return detector


def test_silent_buckets_are_a_share_of_those_since_the_last_request() -> None:
    detector = warmed()
    ((signal,),) = [detector.signals]
    assert (signal.kind, signal.name, signal.rises_only, signal.reference) == ("data_quality", "requests: silence", True, 0.0)
    found = [detector.read(at(hour)) for hour in (WEEK, WEEK + 5)]
    assert [(one.effect[0], one.rows[0]) for one in found] == [(0.0, 1.0), (pytest.approx(0.8), 5.0)]
    assert found[0].level[0] == pytest.approx(0)
    angles = [math.asin(math.sqrt((hits + 0.375) / 5.75)) for hits in (4, 0)]
    assert found[1].level[0] == pytest.approx(2 * (angles[0] - angles[1]))


def test_the_deviations_that_the_docstring_tells() -> None:
    for silent, told in ((4, 3.6), (8, 5.9)):
        after = warmed().read(at(WEEK + silent))
        assert after.level[0] * math.sqrt(after.rows[0]) == pytest.approx(told, abs=0.05)


def test_hours_of_the_week_that_were_silent_before_are_expected_to_be() -> None:
    """Of two hours that were silent a week ago, half as much weighs the share of all hours, 2 of 168."""
    detector = opened()
    for hour in (*range(50), *range(52, WEEK)):
        detector.read(at(hour))
    again = [detector.read(at(hour)) for hour in (*range(WEEK, WEEK + 50), WEEK + 52)][-1]
    overall = 2 / (WEEK + 50)
    drawn = [(silent + overall / 2) / 1.5 for silent in (1, 1, 0)]
    assert again.effect[0] == pytest.approx(2 / 3 - sum(drawn) / 3)
    assert detector.sketch(0, [at(WEEK + 52)]) == (
        {"silent": pytest.approx(sum(drawn))}, {"hours": 2.0, "silent": 2.0, "buckets": 3.0}
    )  # fmt: skip


def test_a_stretch_with_an_hour_that_was_never_seen_says_nothing() -> None:
    detector = warmed(range(WEEK - 3))
    assert np.isnan(detector.read(at(WEEK)).level).all()
    assert detector.read(at(WEEK + 1)).rows.tolist() == [1]


def test_buckets_without_a_request_say_nothing_and_go_on_being_silent() -> None:
    detector = warmed()
    for hour, rows in ((WEEK, None), (WEEK + 1, 0)):
        found = detector.read(at(hour, rows))
        assert np.isnan(found.level).all()
        assert found.rows.tolist() == [0]
    assert detector.read(at(WEEK + 2)).rows.tolist() == [3], "two were silent"
    assert detector.read(at(WEEK + 3)).rows.tolist() == [1]


def test_a_silence_of_years_is_looked_at_as_one_of_some_weeks() -> None:
    detector = warmed()
    found = detector.read(at(WEEK * 500))
    assert found.rows.tolist() == [4 * WEEK + 1]
    assert detector.sketch(0, [at(WEEK * 500)]).after["hours"] == WEEK * 499


def test_what_is_shown_is_the_longest_silence_and_how_many_buckets_there_were() -> None:
    detector = warmed()
    views = [at(WEEK + hour) for hour in (0, 1, 4, 10)]
    for view in views:
        detector.read(view)
    assert detector.sketch(0, views).after == {"hours": 5.0, "silent": 7.0, "buckets": 11.0}
    assert opened().sketch(0, views) == ({}, {"hours": 0.0, "silent": 0.0, "buckets": 0.0})


def learnt(hours: list[int]) -> Normal:
    panel = Panel(["requests_silence"], SETUP)
    asked = Asked(2 * HOUR_MS / (30 * 24 * HOUR_MS), Course(2, 3), HOUR_MS)
    told = set(hours)
    every = [at(hour, 9 if hour in told else None) for hour in range(hours[0], hours[-1] + 1)]
    normal = learn_normal(panel, read_history(panel, every), asked, np.random.default_rng(0))
    assert normal is not None
    return normal


def stands_out(hours: list[int], last: int) -> bool:
    """Learn from some hours, and say whether a request at the last one stands out after them."""
    normal = learnt(hours)
    profile = msgspec.structs.replace(WORLD.profile, normal=normal)
    watched = Panel(["requests_silence"], SETUP._replace(profile=profile))
    threshold = Tail(normal.level, normal.rate, normal.excess).threshold(2 / 720)
    chart, height = Chart(watched, normal, HOUR_MS, threshold), 0.0
    for hour in (*hours, last):
        view = at(hour)
        height = float(chart.step(view.start_ms, watched.read(view)).improbability[0])
    return height >= threshold


def test_a_night_is_no_silence_where_every_night_is_and_a_day_is() -> None:
    """Nothing comes from 20 to 6 o'clock."""
    weeks = [day * 24 + hour for day in range(42) for hour in range(6, 20)]
    assert not stands_out(weeks, weeks[-1] + 11), "until 6 o'clock"
    assert stands_out(weeks, weeks[-1] + 11 + 24), "until 6 o'clock of the day after"


def test_where_none_ever_was_some_hours_are_a_silence_and_one_is_none() -> None:
    weeks = list(range(42 * 24))
    assert not stands_out(weeks, weeks[-1] + 2)
    assert stands_out(weeks, weeks[-1] + 13)


def test_buckets_that_are_silent_by_chance_are_no_more_surprising_than_they_say() -> None:
    """Each hour is silent one time in five."""
    generator = np.random.default_rng(3)
    hours = np.flatnonzero(generator.random(12_000) < 0.8).tolist()
    detector = opened()
    found = [one for hour in hours if not np.isnan((one := detector.read(at(hour))).level[0])]
    level, rows = (np.array([one[part][0] for one in found]) for part in (0, 1))
    usual = float((level * rows).sum() / rows.sum())
    surprises = (level - usual) * np.sqrt(rows)
    assert surprises.std() < 1.1
    assert (surprises > 2.33).mean() < 0.02
    assert (surprises > 4).mean() < 1e-3
