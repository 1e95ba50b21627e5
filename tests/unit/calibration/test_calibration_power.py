"""How soon changes are confirmed, in streams where it can be worked out by hand, and as monitoring itself would confirm them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from streams.calibration.changes import menu
from streams.calibration.learning import Asked, History, learn_normal
from streams.calibration.panel import Panel
from streams.calibration.power import Alarms, Rule, Stream, delays, power_of, rate_of, watched_until
from streams.contracts.bundle import Interval
from streams.detectors.base import Readings
from streams.detectors.checks import DAY_MS, World, setup_of
from streams.monitoring.buckets import Bucket
from streams.monitoring.config import MonitoredModel, MonitoringConfig
from streams.monitoring.watching import Reference, Watcher
from streams.runtime.durations import Duration
from streams.statistics.alarms import Course, Tail, assumed_tail
from tests.kit.panels import HOUR_MS, panel_of, signal_of

Floats = npt.NDArray[np.float64]

ROWS = 100.0
# One look at one signal finds this in a thousand; twice as improbable is overwhelming.
RULE = Rule(3.0, 2, HOUR_MS)
WEEK = 168


@pytest.fixture
def panel(monkeypatch: pytest.MonkeyPatch) -> Panel:
    """One signal, certain reference, no season."""
    return panel_of(monkeypatch, {"d": [signal_of("a")]})


def stream_of(levels: Floats, rows: float = ROWS) -> Stream:
    """Hours with these levels [T, m], each as large an effect."""
    readings = [Readings(level, np.full(len(level), rows), level) for level in levels]
    return Stream([number * HOUR_MS for number in range(len(levels))], readings)


def shifted(panel: Panel, deviations: float, *, rule: Rule = RULE, rows: float = ROWS) -> Floats:
    """Delays in a stream that lies at 0 until a bucket's level moves by so many deviations of a bucket of `ROWS`."""
    before, after = np.zeros((100, 1)), np.full((100, 1), deviations / math.sqrt(ROWS))
    beginnings = watched_until(Alarms(panel, None, rule), stream_of(before, rows), [10, 30])
    return delays(beginnings, stream_of(after, rows), [np.array([0])], 50)


def test_a_very_large_shift_is_found_at_once(panel: Panel) -> None:
    assert power_of(shifted(panel, 20.0)) == (2, 1.0, 1.0)


def test_one_that_stands_out_is_confirmed_with_the_second_bucket(panel: Panel) -> None:
    """3.4 deviations have a chance of 6.7 in ten thousand: enough to stand out, not to be overwhelming."""
    assert shifted(panel, 3.4).tolist() == [[2.0], [2.0]]
    assert shifted(panel, 3.4, rule=RULE._replace(confirm_after=1)).tolist() == [[1.0], [1.0]]


def test_a_small_shift_is_found_when_enough_of_it_has_added_up(panel: Panel) -> None:
    """Deviations of 2 add up to 3.46 in three buckets, which stand out (3.29), and to 4 in four, which confirms."""
    assert shifted(panel, 2.0).tolist() == [[4.0], [4.0]]


def test_more_rows_find_it_sooner(panel: Panel) -> None:
    found = [float(shifted(panel, 1.0, rows=rows)[0, 0]) for rows in (ROWS, 4 * ROWS, 16 * ROWS)]
    assert found == sorted(set(found), reverse=True)
    assert found[1] == shifted(panel, 2.0)[0, 0], "four times the rows are as good as twice the shift"


def test_what_is_below_its_floor_is_never_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with_floor = panel_of(monkeypatch, {"d": [signal_of("a", floor=3.0)]})
    assert power_of(shifted(with_floor, 20.0)) == (2, 0.0, None)
    assert power_of(shifted(with_floor, 31.0)) == (2, 1.0, 1.0)


def test_a_signal_that_stands_out_already_is_not_asked(panel: Panel) -> None:
    before = np.zeros((40, 1))
    before[20:] = 1.0
    beginnings = watched_until(Alarms(panel, None, RULE), stream_of(before), [20, 21])
    found = delays(beginnings, stream_of(np.ones((100, 1))), [np.array([0])], 10)
    assert found[0, 0] == 1
    assert np.isnan(found[1, 0])
    assert power_of(found) == (1, 1.0, 1.0)


def test_beginnings_are_as_if_each_had_been_alone(panel: Panel) -> None:
    """What goes on from one beginning changes nothing of the next, nor of a second try."""
    generator = np.random.default_rng(0)
    before, after = stream_of(generator.normal(size=(100, 1)) / 10), stream_of(generator.normal(0.2, 0.1, size=(100, 1)))
    together = watched_until(Alarms(panel, None, RULE), before, [10, 20, 30])
    found = delays(together, after, [np.array([0])], 50)
    assert np.array_equal(delays(together, after, [np.array([0])], 50), found)
    for row, start in enumerate((10, 20, 30)):
        alone = watched_until(Alarms(panel, None, RULE), before, [start])
        assert np.array_equal(delays(alone, after, [np.array([0])], 50), found[row : row + 1], equal_nan=True)


def test_aims_are_found_each_by_its_first_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = panel_of(monkeypatch, {"d": [signal_of("a"), signal_of("b")], "e": [signal_of("c")]})
    after = np.tile([0.0, 3.0, 0.0], (20, 1))
    beginnings = watched_until(Alarms(panel, None, RULE), stream_of(np.zeros((20, 3))), [5])
    aims = [np.array([0]), np.array([0, 1]), np.array([2])]
    assert delays(beginnings, stream_of(after), aims, 10).tolist() == [[np.inf, 1.0, np.inf]]


def test_without_a_change_it_is_the_rate_of_false_alarms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two a month over three groups; weeks that don't overlap. Exact bounds, wrong twice in a thousand."""
    panel = panel_of(monkeypatch, {name: [signal_of("a"), signal_of("b")] for name in "def"})
    generator, rate, weeks = np.random.default_rng(5), 2 / 720, 60
    past, later = (stream_of(generator.normal(size=(number * WEEK, 6)) / math.sqrt(ROWS)) for number in (8, weeks))
    history = History(np.array(past.start_ms), np.array([one.level for one in past.readings]), np.full((8 * WEEK, 6), ROWS))
    normal = learn_normal(panel, history, Asked(rate, Course(2, 3), HOUR_MS), np.random.default_rng(0))
    assert normal is not None
    rule = Rule(Tail(normal.level, normal.rate, normal.excess).threshold(rate), 2, HOUR_MS)
    beginnings = watched_until(Alarms(panel, normal, rule), later, range(0, weeks * WEEK, WEEK))
    found = power_of(delays(beginnings, later, [np.array([0, 1]), np.array([2, 3]), np.array([4, 5])], WEEK))
    assert found.share is not None
    expected = stats.binom(found.tried, 1 - math.exp(-rate * WEEK / 3))
    assert expected.isf(0.999) <= round(found.share * found.tried) <= expected.isf(0.001)


@pytest.mark.parametrize("name", ["a feature shifts by 0.5 sd", "the score shifts by 0.25 sd", "the loss rises by 0.25 sd"])
def test_it_is_what_monitoring_itself_would_confirm(name: str) -> None:
    world, config = World(2), MonitoringConfig(cooldown=Duration(0))
    change = next(one for one in menu(world.profile, frozenset({"size"})) if one.name == name)
    views, generator = [world.view(day) for day in range(40)], np.random.default_rng(0)
    changed = [change.alter(view, generator) for view in views]
    panel, rule = Panel(config.detectors, setup_of(world)), Rule(assumed_tail().threshold(config.alarm_rate(DAY_MS)), 2, DAY_MS)
    streams = [Stream([view.start_ms for view in some], [panel.read(view) for view in some]) for some in (views, changed)]
    (kind,) = change.kinds
    aims = [
        np.array(
            [number for number, signal in enumerate(panel.signals) if signal.kind == kind and signal.watched in change.watched]
        )
    ]
    starts = [5, 12, 20]
    beginnings = watched_until(Alarms(panel, None, rule), streams[0], starts)
    found = delays(beginnings, streams[1], aims, 15)[:, 0]
    assert np.isfinite(found).all()
    for start, delay in zip(starts, found.tolist(), strict=True):
        watcher = Watcher(
            MonitoredModel("m", "binary", "", "", "", 1, DAY_MS), config, lambda _: Reference(world.manifest, world.profile)
        )
        confirmed = []
        for view in (*views[:start], *changed[start : start + 15]):
            assert view.inputs is not None
            assert view.losses is not None
            events = watcher.look(Bucket(view.start_ms, view.end_ms, {"d": [view.inputs]}, {"d": [view.losses]})).events
            confirmed += [event.bucket_start_ms for event in events if event.transition == "confirmed" and event.kind == kind]
        watcher.close()
        assert confirmed[0] == views[start].start_ms + (delay - 1) * DAY_MS


def test_delays_are_summed_up() -> None:
    assert power_of(np.array([[1.0, np.inf], [3.0, np.nan]])) == (3, 2 / 3, 2.0)
    assert power_of(np.array([np.inf])) == (1, 0.0, None)
    assert power_of(np.array([np.nan])) == (0, None, None)


def test_a_rate_has_the_exact_interval_of_a_count() -> None:
    """No event in a month: the upper end is -ln(0.025)."""
    assert rate_of(0, 1.0) == Interval(0.0, 0.0, pytest.approx(-math.log(0.025)))
    low, high = rate_of(4, 2.0).low * 2, rate_of(4, 2.0).high * 2
    assert stats.poisson.sf(3, low) == pytest.approx(0.025)
    assert stats.poisson.cdf(4, high) == pytest.approx(0.025)
    assert rate_of(4, 2.0).value == 2
