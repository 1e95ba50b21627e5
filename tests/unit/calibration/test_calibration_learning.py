"""What is usual is learnt from a history, and chance alarms as often as was asked in more of the same."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from streams.calibration.chart import Chart
from streams.calibration.learning import FEWEST_BUCKETS, Asked, History, learn_normal, read_history, weeks_missing
from streams.calibration.panel import Panel
from streams.contracts.bundle import Normal, Profile
from streams.detectors.base import Readings
from streams.detectors.checks import DAY_MS, World, setup_of
from streams.monitoring.config import OURS
from streams.statistics.alarms import Course, Tail, assumed_tail, peaks, persistent
from streams.statistics.calendar import calendar_cells, local_ms
from tests.kit.panels import HOUR_MS, NEVER_REACHED, panel_of, signal_of

Floats = npt.NDArray[np.float64]

COURSE = Course(2, 3)
WEEK = 168
# Two alarms a month.
HOURLY_RATE, DAILY_RATE = 2 / 720, 2 / 30
SIGNALS = 6


@pytest.fixture
def panel(monkeypatch: pytest.MonkeyPatch) -> Panel:
    """Three groups of two signals."""
    return panel_of(monkeypatch, {name: [signal_of("a"), signal_of("b")] for name in "def"})


def hourly(weeks: int, *, season: float = 0.0, wandering: float = 0.0, seed: int = 0, rows: int = 200) -> History:
    """Hours with the same season in all signals: by the hour, and higher at the end of the week; 0.07 is what chance does."""
    generator, number = np.random.default_rng(seed), weeks * WEEK
    start_ms = 20_006 * DAY_MS + np.arange(number, dtype=np.int64) * HOUR_MS
    hours = start_ms // HOUR_MS
    expected = season * (np.sin(hours % 24 / 24 * 2 * np.pi) + ((hours // 24) % 7 >= 5))
    counted = generator.integers(rows // 2, rows * 2, (number, 1)).astype(np.float64)
    level = np.zeros((number, SIGNALS))
    fresh = generator.normal(size=level.shape) * np.sqrt(wandering * (1 - 0.8**2))
    for row in range(1, number):
        level[row] = 0.8 * level[row - 1] + fresh[row]
    level += expected[:, None] + generator.normal(size=level.shape) / np.sqrt(counted)
    return History(start_ms, level, np.repeat(counted, SIGNALS, axis=1))


def part(history: History, begin: int, end: int | None = None) -> History:
    return History(*(column[begin:end] for column in history))


def asked_of(bucket_ms: int) -> Asked:
    """Two false alarms a month."""
    return Asked(2 * bucket_ms / (30 * DAY_MS), COURSE, bucket_ms)


def learnt(panel: Panel, history: History, bucket_ms: int = HOUR_MS, seed: int = 0) -> Normal:
    normal = learn_normal(panel, history, asked_of(bucket_ms), np.random.default_rng(seed))
    assert normal is not None
    return normal


def tail_of(normal: Normal | None) -> Tail:
    return assumed_tail() if normal is None else Tail(normal.level, normal.rate, normal.excess)


def watched(panel: Panel, normal: Normal | None, history: History) -> Floats:
    """How improbable each signal is in each bucket [T, m]."""
    chart = Chart(panel, normal, HOUR_MS, NEVER_REACHED)
    rows = zip(history.start_ms.tolist(), history.level, history.rows, strict=True)
    return np.array([chart.step(start_ms, Readings(level, counted, level)).improbability for start_ms, level, counted in rows])


def alarms(panel: Panel, normal: Normal | None, history: History) -> int:
    """How many alarms begin, over all groups, when two a month are allowed."""
    found, level = watched(panel, normal, history), tail_of(normal).threshold(HOURLY_RATE)
    groups = [found[:, panel.group == group] for group in range(len(panel.groups))]
    return sum(len(peaks(persistent(one, COURSE), one.max(axis=1), level, COURSE)) for one in groups)


def test_a_short_history_teaches_nothing(panel: Panel) -> None:
    history = hourly(2)
    days = History(*(column[::24] for column in history))
    for short, bucket_ms in ((part(history, 0, 4 * 24), HOUR_MS), (part(days, 0, FEWEST_BUCKETS - 1), DAY_MS)):
        assert learn_normal(panel, short, asked_of(bucket_ms), np.random.default_rng(0)) is None
    assert learnt(panel, days, DAY_MS).buckets == FEWEST_BUCKETS
    assert learnt(panel, part(history, 0, 5 * 24)).buckets == 5 * 24


def test_what_was_learnt_says_of_what_and_travels_as_json(panel: Panel) -> None:
    history = hourly(3, season=0.5, wandering=0.01)
    normal = learnt(panel, history)
    assert (normal.bucket_ms, normal.buckets, normal.confirm_after, normal.clear_after) == (HOUR_MS, 3 * WEEK, 2, 3)
    assert (normal.since_ms, normal.until_ms) == (history.start_ms[0], history.start_ms[0] + 3 * WEEK * HOUR_MS)
    assert {name: list(signals) for name, signals in normal.signals.items()} == {name: ["a: mean", "b: mean"] for name in "def"}
    usual = normal.signals["e"]["b: mean"]
    assert (usual.buckets, usual.rows) == (3 * WEEK, history.rows[:, 3].sum())
    world = World(1)
    profile = msgspec.structs.replace(world.profile, normal=normal)
    again = msgspec.json.decode(msgspec.json.encode(profile), type=Profile)
    assert again == profile
    later = hourly(1, season=0.5, wandering=0.01, seed=1)
    assert np.array_equal(watched(panel, again.normal, later), watched(panel, normal, later))
    assert learnt(panel, history) == normal, "the same history and seed teach the same"


def test_the_season_and_the_wandering_are_what_they_were(panel: Panel) -> None:
    for usual in (one for of in learnt(panel, hourly(8, season=0.5)).signals.values() for one in of.values()):
        assert usual.level == pytest.approx(0.5 * 2 / 7, abs=0.02)
        assert usual.weekday == pytest.approx([0.5 * (day >= 5) - usual.level for day in range(7)], abs=0.05)
        assert usual.hour == pytest.approx((0.5 * np.sin(np.arange(24) / 24 * 2 * np.pi)).tolist(), abs=0.05)
        assert usual.wandering + usual.unrest < 0.002
        assert 1 <= usual.width < 1.2
    for usual in (one for of in learnt(panel, hourly(8, wandering=0.02)).signals.values() for one in of.values()):
        assert usual.wandering + usual.unrest == pytest.approx(0.02, rel=0.35)
        assert usual.persistence == pytest.approx(0.8, abs=0.1)
        assert np.abs([*usual.hour, *usual.weekday, 0.0]).max() < 0.07


def test_what_adds_nothing_is_not_written_down(panel: Panel) -> None:
    """Buckets that are all alike have no season, and daily ones no hours."""
    history = hourly(3)
    flat = history._replace(level=np.full_like(history.level, 0.25))
    usual = learnt(panel, flat).signals["d"]["a: mean"]
    assert (usual.level, usual.weekday, usual.hour, usual.hour_of_week) == (pytest.approx(0.25), [], [], [])
    daily = part(hourly(8, season=0.5), 0, None)
    days = History(*(column[::24] for column in daily))
    usual = learnt(panel, days, DAY_MS).signals["d"]["a: mean"]
    assert len(usual.weekday) == 7
    assert (usual.hour, usual.hour_of_week) == ([], [])


def test_a_learnt_season_is_no_alarm_and_an_unlearnt_one_is(panel: Panel) -> None:
    """The same two weeks; what is far from the reference but as always is usual, and what is new is found amid it."""
    history = hourly(8, season=0.5)
    normal, later = learnt(panel, part(history, 0, 6 * WEEK)), part(history, 6 * WEEK)
    level = tail_of(normal).threshold(HOURLY_RATE)
    assert np.mean(watched(panel, None, later).max(axis=1) >= assumed_tail().threshold(HOURLY_RATE)) > 0.9
    # Ten false alarms a month would be one in this time.
    assert not (watched(panel, normal, later) >= tail_of(normal).threshold(HOURLY_RATE / 20)).any()
    changed = later._replace(level=later.level + np.where(np.arange(2 * WEEK) >= WEEK, 0.1, 0.0)[:, None])
    up = (watched(panel, normal, changed) >= level).any(axis=1)
    assert up[WEEK : WEEK + 12].any(), "not half as large as the season is high, and half a day"
    assert up[WEEK + 24 :].all()


@pytest.mark.parametrize(("season", "wandering"), [(0.0, 0.0), (0.5, 0.0), (0.5, 0.01)])
def test_chance_alarms_as_often_as_was_asked(panel: Panel, season: float, wandering: float) -> None:
    """Learnt on eight weeks, watched for sixteen. Exact Poisson bounds, wrong once in 10^3 each."""
    history = hourly(24, season=season, wandering=wandering, seed=3)
    past, later = part(history, 0, 8 * WEEK), part(history, 8 * WEEK)
    asked, normal = stats.poisson(16 * WEEK * HOURLY_RATE), learnt(panel, past)
    assert asked.isf(0.999) <= alarms(panel, normal, later) <= asked.isf(0.001)
    if season or wandering:
        up = watched(panel, None, later) >= assumed_tail().threshold(HOURLY_RATE)
        assert up.any(axis=1).mean() > 0.5, "unlearnt, it would hardly ever be quiet"


def test_how_signals_wander_is_judged_on_days_that_it_was_not_learnt_from(panel: Panel) -> None:
    """Of a week it is learnt badly; judged on the same week it looked right, and alarms were four times as many as asked."""
    weeks, raised = 13, 0
    for seed in range(10):
        history = hourly(weeks, wandering=0.02, seed=seed)
        raised += alarms(panel, learnt(panel, part(history, 0, WEEK)), part(history, WEEK))
    assert raised <= 2 * 10 * (weeks - 1) * WEEK * HOURLY_RATE


def test_a_storm_makes_a_signal_vary_and_its_days_no_surprise(panel: Panel) -> None:
    days = History(*(column[::24] for column in hourly(8)))
    days.level[30] = 1.0
    assert max(usual.width for of in learnt(panel, days, DAY_MS).signals.values() for usual in of.values()) < 1.3


def far_out(history: History) -> History:
    """One reading of twenty lies ten times as far out as the others."""
    far = np.random.default_rng(1).random(history.level.shape) < 0.05
    return history._replace(level=np.where(far, 10, 1) * history.level)


def test_a_heavy_tail_is_usual_where_it_always_was(panel: Panel) -> None:
    for usual in (one for of in learnt(panel, far_out(hourly(8))).signals.values() for one in of.values()):
        assert usual.width > 1.25


def test_what_was_rarely_measured_has_a_tail_all_the_same(panel: Panel) -> None:
    """The model's outcomes are known for the rows alone that it hadn't seen, the last of a history."""
    for history, least, most in ((far_out(hourly(12)), 1.15, 2.0), (hourly(12), 1.0, 1.05)):
        history.level[: 8 * WEEK, 0] = np.nan
        assert least <= learnt(panel, history).signals["d"]["a: mean"].width <= most


def test_a_season_of_what_is_known_of_the_last_tenth_is_learnt_from_it(panel: Panel) -> None:
    """Two weeks of outcomes at the end of twenty weeks of inputs have a season that two weeks show."""
    history = hourly(20, season=0.3)
    history.level[: 18 * WEEK, 0] = np.nan
    alone = learnt(panel, part(history, 18 * WEEK)).signals["d"]["a: mean"]
    usual = learnt(panel, history).signals["d"]["a: mean"]
    assert usual.width == pytest.approx(alone.width, rel=0.1)
    assert usual.hour == pytest.approx(alone.hour, abs=0.02)
    assert max(usual.hour) > 0.2


def test_a_signal_that_was_never_measured_is_taken_for_the_reference(panel: Panel) -> None:
    history = hourly(3)
    history.level[:, 0], history.rows[:, 0] = np.nan, 0
    usual = learnt(panel, history).signals["d"]["a: mean"]
    assert usual == msgspec.json.decode(msgspec.json.encode(usual), type=type(usual)), "no numbers that are none"
    assert (usual.level, usual.hour, usual.wandering, usual.unrest, usual.width) == (0, [], 0, 0, 1)
    assert (usual.rows, usual.buckets) == (1, 0)


def signals_of(normal: Normal) -> Mapping[str, list[str]]:
    return {detector: list(signals) for detector, signals in normal.signals.items()}


def test_a_history_is_read_by_the_real_detectors() -> None:
    world = World(1)
    panel = Panel(OURS, setup_of(world))
    views = [world.view(day) for day in range(20)]
    views[4] = views[4]._replace(inputs=None)
    history = read_history(panel, views)
    assert history.start_ms.tolist() == [day * DAY_MS for day in range(20)]
    assert history.level.shape == history.rows.shape == (20, len(panel.signals))
    assert np.array_equal(history.level[7], panel.read(views[7]).level)
    of_inputs = np.array([place.detector not in ("loss_mean", "loss_slices", "performance_auc") for place in panel.places])
    assert np.array_equal(np.isnan(history.level[4]), of_inputs)
    normal = learnt(panel, history, DAY_MS)
    assert signals_of(normal) == {kind: [s.name for p, s in zip(panel.places, panel.signals, strict=True) if p.detector == kind]
                                  for kind in OURS}  # fmt: skip
    assert tail_of(normal).threshold(DAILY_RATE) == pytest.approx(assumed_tail().threshold(DAILY_RATE), abs=1.0)


def test_a_panel_without_signals_is_learnt_without_a_fault() -> None:
    """A regression model that is watched by the area under its ROC curve alone."""
    world = World(1, "regression")
    panel = Panel(("performance_auc",), setup_of(world))
    history = read_history(panel, [world.view(day) for day in range(20)])
    assert learn_normal(panel, history, asked_of(DAY_MS), np.random.default_rng(0)) is None


def test_buckets_of_many_days_are_learnt_from_and_empty_ones_do_not_count(panel: Panel) -> None:
    """Every fifth day alone, and a history most of which is empty."""
    days = History(*(column[::24] for column in hourly(20)))
    wide = days._replace(start_ms=days.start_ms[0] + 5 * (days.start_ms - days.start_ms[0]))
    assert learnt(panel, wide, 5 * DAY_MS).buckets == 140
    days.level[FEWEST_BUCKETS - 1 :], days.rows[FEWEST_BUCKETS - 1 :] = np.nan, 0
    assert learn_normal(panel, days, asked_of(DAY_MS), np.random.default_rng(0)) is None
    assert weeks_missing(28, DAY_MS, 2.0) == 0
    assert weeks_missing(27, DAY_MS, 2.0) == 1
    assert weeks_missing(28, DAY_MS, 0.5) == 5, "chance raises one in two months"


def test_a_season_is_that_of_the_timezone_and_the_chart_follows_it(panel: Panel) -> None:
    """Eight in the morning in New York, learnt in winter and watched in summer: no surprise there, one an hour off in UTC."""
    zone = "America/New_York"
    winter, summer = 19_737 * DAY_MS, 19_920 * DAY_MS

    def peaked(start_ms: npt.NDArray[np.int64]) -> Floats:
        level = np.random.default_rng(0).normal(size=(len(start_ms), SIGNALS)) / np.sqrt(200)
        return level + 3.0 * (calendar_cells(local_ms(start_ms, zone))[1] == 8)[:, None]

    start_ms = winter + np.arange(5 * WEEK, dtype=np.int64) * HOUR_MS
    history = History(start_ms, peaked(start_ms), np.full((len(start_ms), SIGNALS), 200.0))
    highest = {}
    for name in (zone, "UTC"):
        normal = learn_normal(panel, history, asked_of(HOUR_MS)._replace(timezone=name), np.random.default_rng(0))
        assert normal is not None
        assert normal.timezone == name
        chart = Chart(panel, normal, HOUR_MS, NEVER_REACHED)
        later = summer + np.arange(WEEK, dtype=np.int64) * HOUR_MS
        found = [
            chart.step(int(start), Readings(level, np.full(SIGNALS, 200.0), level))
            for start, level in zip(later, peaked(later), strict=True)
        ]
        highest[name] = max(float(one.improbability.max()) for one in found)
    assert highest[zone] < 5
    assert highest["UTC"] > 20
