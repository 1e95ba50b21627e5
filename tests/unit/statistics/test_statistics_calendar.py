"""What is expected by hour and weekday: patterns are learnt, noise isn't."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.statistics.calendar import (
    DAY_MS,
    DAYS,
    HOUR_MS,
    HOURS,
    Season,
    calendar_cells,
    is_timezone,
    learn_season,
    local_ms,
)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

WEEK = DAYS * HOURS
# A Monday in 2024, at midnight in UTC.
MONDAY_MS = 1_704_067_200_000


def hours_from(start_ms: int, weeks: int) -> Integers:
    return start_ms + np.arange(weeks * WEEK, dtype=np.int64) * HOUR_MS


def days_from(start_ms: int, weeks: int) -> Integers:
    return start_ms + np.arange(weeks * DAYS, dtype=np.int64) * DAY_MS


def weekly(start_ms: Integers, signals: int, seed: int = 0) -> Floats:
    """A pattern with nothing in common between the hours of a week [T, signals]."""
    pattern = np.random.default_rng(seed).normal(size=(WEEK, signals))
    return pattern[(start_ms // HOUR_MS) % WEEK]


def off(season: Season, start_ms: Integers, expected: Floats | float) -> float:
    """By how much a season is wrong, as the root of the mean square."""
    return float(np.sqrt(np.mean((season.at(start_ms) - expected) ** 2)))


@given(st.integers(0, 130 * 365 * 24 * 3_600))
@settings(deadline=None)
def test_cells_are_those_of_the_calendar(seconds: int) -> None:
    when = dt.datetime.fromtimestamp(seconds, dt.UTC)
    weekday, hour = calendar_cells(np.array([seconds * 1_000]))
    assert (weekday[0], hour[0]) == ((when.weekday() - 3) % 7, when.hour), "0 is Thursday"


@pytest.mark.parametrize("weeks", [2, 5])
@pytest.mark.parametrize("start_ms", [MONDAY_MS, MONDAY_MS + 3 * DAY_MS])
def test_a_pure_weekly_pattern_is_learnt_whole(start_ms: int, weeks: int) -> None:
    start = hours_from(start_ms, weeks)
    season = learn_season(start, weekly(start, 4))
    later = hours_from(start_ms + 60 * WEEK * HOUR_MS, 1)
    np.testing.assert_allclose(season.at(later), weekly(later, 4), atol=1e-9)
    np.testing.assert_allclose(season.at(int(later[5])), weekly(later, 4)[5], atol=1e-9)


def test_each_part_of_the_season_holds_what_is_its_own() -> None:
    start = hours_from(MONDAY_MS, 3)
    weekday, hour = calendar_cells(start)
    of_day, of_hour = np.array([2.0, -1, -1, 0, 0, 0, 0]), np.sin(np.arange(24) / 24 * 2 * np.pi)
    values = np.stack([5 + of_day[weekday], of_hour[hour], np.where((weekday == 2) & (hour == 3), 1.0, 0.0)], axis=1)
    season = learn_season(start, values)
    np.testing.assert_allclose(season.level, [5, 0, 1 / WEEK], atol=1e-9)
    np.testing.assert_allclose(season.weekday[:, 0], of_day, atol=1e-9)
    np.testing.assert_allclose(season.hour[:, 1], of_hour, atol=1e-9)
    np.testing.assert_allclose(season.hour[:, 0], 0, atol=1e-9)
    np.testing.assert_allclose(season.hour_of_week[:, :2], 0, atol=1e-9)
    assert np.argmax(season.hour_of_week[:, 2]) == 2 * HOURS + 3


@pytest.mark.parametrize("weeks", [2, 4, 8])
def test_noise_shrinks_to_about_nothing(weeks: int) -> None:
    """The error is little more than that of one level for all, of which there is no less."""
    start = hours_from(MONDAY_MS, weeks)
    season = learn_season(start, np.random.default_rng(weeks).normal(size=(len(start), 100)))
    assert off(season, hours_from(MONDAY_MS, 1), 0.0) < 2.5 / np.sqrt(len(start)) < 0.2 / np.sqrt(weeks)
    days = days_from(MONDAY_MS, weeks)
    season = learn_season(days, np.random.default_rng(weeks).normal(size=(len(days), 300)))
    assert off(season, days_from(MONDAY_MS, 1), 0.0) < 1.6 / np.sqrt(len(days))


def test_a_pattern_amid_noise_is_learnt_better_than_from_its_hours_alone() -> None:
    weeks, signals = 6, 20
    start = hours_from(MONDAY_MS, weeks)
    daily = np.sin(calendar_cells(start)[1] / 24 * 2 * np.pi)[:, None]
    values = daily + np.random.default_rng(1).normal(size=(len(start), signals))
    season, week = learn_season(start, values), slice(0, WEEK)
    by_hour_of_week = values.reshape(weeks, WEEK, signals).mean(axis=0)
    alone = float(np.sqrt(np.mean((by_hour_of_week - daily[week]) ** 2)))
    assert alone == pytest.approx(1 / np.sqrt(weeks), rel=0.05)
    assert off(season, start[week], daily[week]) < alone / 2
    strong = learn_season(start, 10 * weekly(start, signals) + np.random.default_rng(2).normal(size=(len(start), signals)))
    assert off(strong, start[week], 10 * weekly(start[week], signals)) < 1.1 * alone, "what stands out isn't shrunk"


def test_what_is_missing_is_left_out_and_what_never_came_is_filled_in() -> None:
    weeks = 6
    start = hours_from(MONDAY_MS, weeks)
    weekday, hour = calendar_cells(start)
    truth = (3 + 0.5 * weekday + np.sin(hour / 24 * 2 * np.pi))[:, None]
    values = np.repeat(truth, 3, axis=1)
    lacks = (weekday == 4) & (hour == 7)
    values[lacks, 0] = np.nan
    values[:, 1] = np.nan
    values[np.random.default_rng(3).random(len(start)) < 0.02, 2] = np.nan
    season, week = learn_season(start, values), slice(0, WEEK)
    expected = season.at(start[week])
    assert np.isfinite(expected).all()
    assert abs(expected[np.flatnonzero(lacks[week]), 0] - truth[week][lacks[week], 0]).max() < 0.2, "by its weekday and hour"
    assert (expected[:, 1] == 0).all(), "of a signal that was never measured the reference is all that is known"
    assert np.abs(expected[:, 2] - truth[week][:, 0]).max() < 0.2


def test_a_cell_that_came_once_says_nothing_of_its_own() -> None:
    """Eight days have one weekday twice; the other six can't be told from chance."""
    values = np.array([[5.0], [0], [0], [0], [0], [0], [0], [5.0]])
    season = learn_season(MONDAY_MS + np.arange(8) * DAY_MS, values)
    monday = (MONDAY_MS // DAY_MS) % DAYS
    assert season.weekday[monday, 0] > 3
    assert (np.delete(season.weekday[:, 0], monday) == 0).all()


@pytest.mark.parametrize("hour", [0, 5])
def test_daily_buckets_have_weekdays_only(hour: int) -> None:
    start = days_from(MONDAY_MS + hour * HOUR_MS, 4)
    pattern = np.array([[0.0, 1, 2, 3, 4, 9, 9]]).T
    season = learn_season(start, pattern[(start // DAY_MS) % DAYS])
    np.testing.assert_allclose(season.at(start), pattern[(start // DAY_MS) % DAYS], atol=1e-9)
    assert season.weekday.shape == (DAYS, 1)
    assert season.hour.shape == (HOURS, 1)
    assert season.hour_of_week.shape == (WEEK, 1)
    assert not season.hour.any()
    assert not season.hour_of_week.any()


def test_buckets_shorter_than_an_hour_are_one_repetition_of_it() -> None:
    """Four quarters that move together are no four proofs."""
    generator, weeks = np.random.default_rng(4), 3
    quarters = MONDAY_MS + np.arange(weeks * WEEK * 4) * (HOUR_MS // 4)
    hourly = generator.normal(size=(weeks * WEEK, 60))
    season = learn_season(quarters, np.repeat(hourly, 4, axis=0))
    whole = learn_season(hours_from(MONDAY_MS, weeks), hourly)
    np.testing.assert_allclose(season.at(quarters[: 4 * WEEK : 4]), whole.at(quarters[: 4 * WEEK : 4]), atol=1e-9)


@given(st.lists(st.integers(0, 65 * 365 * 24 * 3_600), min_size=1, max_size=20))
@settings(deadline=None)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"])
def test_local_times_are_what_clocks_on_the_wall_show(zone: str, seconds: list[int]) -> None:
    shown = [dt.datetime.fromtimestamp(one, zoneinfo.ZoneInfo(zone)).replace(tzinfo=dt.UTC).timestamp() for one in seconds]
    assert local_ms(np.array(seconds) * 1_000, zone).tolist() == [round(one * 1_000) for one in shown]
    assert int(local_ms(seconds[0] * 1_000, zone)) == round(shown[0] * 1_000)


def test_a_habit_stays_at_its_hour_when_the_clocks_are_changed() -> None:
    """A peak at eight in the morning in New York, from February into April; the clocks are changed on March 10."""
    zone = "America/New_York"
    start = hours_from(MONDAY_MS + 28 * DAY_MS, 10)
    values = (calendar_cells(local_ms(start, zone))[1] == 8).astype(np.float64)[:, None]
    habit, blurred = learn_season(start, values, zone), learn_season(start, values)
    np.testing.assert_allclose(habit.at(start, zone), values, atol=1e-3)
    assert np.abs(blurred.at(start) - values).max() > 0.3
    later = hours_from(MONDAY_MS + 250 * DAY_MS, 1)
    np.testing.assert_allclose(habit.at(later, zone)[:, 0], calendar_cells(local_ms(later, zone))[1] == 8, atol=1e-3)


def test_a_timezone_is_known_by_its_name() -> None:
    assert is_timezone("UTC")
    assert is_timezone("Europe/Berlin")
    for name in ("Berlin/Europe", "", "../etc/passwd", "/etc/passwd", "Europe"):
        assert not is_timezone(name)
