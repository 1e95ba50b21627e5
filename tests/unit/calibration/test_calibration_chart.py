"""One bundle's signals from bucket to bucket, given what is usual of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from streams.calibration.chart import Chart, Looked, expectation_of
from streams.calibration.panel import Panel
from streams.contracts.bundle import Normal, Usual
from streams.detectors.base import Readings
from streams.statistics.scan import LENGTHS, Watched, improbability, scanned_heights
from streams.statistics.wander import Noise, Surprise
from tests.kit.panels import HOUR_MS, NEVER_REACHED, panel_of, signal_of

Floats = npt.NDArray[np.float64]

# A Thursday at midnight in UTC.
START_MS = 20_006 * 24 * HOUR_MS
ROWS = 400.0
# Two groups share by the roots of their columns, and two signals are in the first.
HANDICAPS = np.log10([3, 3, 3])


@pytest.fixture
def panel(monkeypatch: pytest.MonkeyPatch) -> Panel:
    """Two signals of one group and one of another."""
    return panel_of(monkeypatch, {"d": [signal_of("a", scale=0.5), signal_of("b")], "e": [signal_of("c")]})


def normal_of(**signals: Usual) -> Normal:
    """What is usual of detector d's signals, by what they watch."""
    return Normal(
        bucket_ms=HOUR_MS, since_ms=0, until_ms=1, buckets=1, confirm_after=2, clear_after=3, level=0.0, rate=1.0, excess=1.0,
        signals={"d": {f"{name}: mean": usual for name, usual in signals.items()}},
    )  # fmt: skip


def usual_of(**changes: object) -> Usual:
    """Usual is the reference, as surely as from a million rows and buckets."""
    return Usual(**{"rows": 1e12, "buckets": 10**12, **changes})


def reading(*deviations: float, rows: float = ROWS) -> Readings:
    """Levels so many deviations of chance out, with effects that are their hundredfold."""
    levels = np.array(deviations) / math.sqrt(rows)
    return Readings(levels, np.where(np.isnan(levels), 0.0, rows), levels * 100)


def stepped(chart: Chart, readings: Sequence[Readings], hours: Sequence[int] | None = None) -> list[Looked]:
    return [chart.step(START_MS + hour * HOUR_MS, one) for hour, one in zip(hours or range(len(readings)), readings, strict=True)]


def chance_of(deviations: float) -> float:
    return -math.log10(2 * stats.norm.sf(abs(deviations)))


def test_a_signal_of_which_nothing_is_known_is_taken_to_be_independent(panel: Panel) -> None:
    """One bucket is as improbable as its deviations, less the handicap: two groups, and two signals in the first."""
    (found,) = stepped(Chart(panel, None, HOUR_MS, NEVER_REACHED), [reading(3.0, -4.0, 1.0)])
    np.testing.assert_allclose(found.improbability, [chance_of(3), chance_of(4), chance_of(1)] - HANDICAPS)
    np.testing.assert_allclose(found.effect, np.array([3, -4, 1]) / math.sqrt(ROWS) * 100)
    assert found.since_ms.tolist() == [START_MS] * 3
    assert found.rows.tolist() == [ROWS] * 3
    (partly,) = stepped(Chart(panel, normal_of(a=usual_of(width=2.0)), HOUR_MS, NEVER_REACHED), [reading(3.0, -4.0, 1.0)])
    np.testing.assert_allclose(partly.improbability, [chance_of(1.5), chance_of(4), chance_of(1)] - HANDICAPS)


def test_what_is_expected_comes_in_the_order_of_the_signals(panel: Panel) -> None:
    usual = usual_of(level=0.3, hour=[0.1] * 24, wandering=0.2, persistence=0.9, unrest=0.4, width=1.5, rows=77.0)
    found = expectation_of(panel, normal_of(b=usual))
    assert found.season.level.tolist() == [0, 0.3, 0]
    assert found.season.hour.shape == (24, 3)
    assert found.season.hour[:, 1].tolist() == [0.1] * 24
    assert not found.season.hour[:, [0, 2]].any()
    assert not found.season.weekday.any()
    assert [part.tolist() for part in found.noise] == [[0, 0.2, 0], [0, 0.9, 0], [0, 0.4, 0]]
    assert found.width.tolist() == [1, 1.5, 1]
    assert found.rows.tolist() == [1e12, 77, 1e12]


def test_the_season_is_taken_off_level_and_effect(panel: Panel) -> None:
    """The effect is in the signal's unit, of which the level's is half a one."""
    weekday = [1.0, 0, 0, 0, 0, 0, 0]
    hour = [0.0] * 5 + [2.0] + [0.0] * 18
    hour_of_week = [0.0] * 5 + [4.0] + [0.0] * 162
    usual = usual_of(level=8.0, weekday=weekday, hour=hour, hour_of_week=hour_of_week)
    chart = Chart(panel, normal_of(a=usual), HOUR_MS, NEVER_REACHED)
    for at, expected in ((0, 9.0), (5, 15.0), (24, 8.0), (7 * 24 + 5, 15.0)):
        level, rows = np.array([expected + 0.1, 0.0, 0.0]), np.full(3, ROWS)
        looked = chart.step(START_MS + at * HOUR_MS, Readings(level, rows, np.array([expected * 0.5 + 0.05, 0, 0])))
        assert looked.effect[0] == pytest.approx(0.05), at
    assert looked.improbability[0] == pytest.approx(chance_of(0.1 * math.sqrt(ROWS * 4)) - HANDICAPS[0])


def test_wandering_is_expected_and_after_a_gap_it_is_forgotten(panel: Panel) -> None:
    usual = usual_of(wandering=0.05, persistence=0.9, unrest=0.01)
    readings, hours = [reading(8.0, 0, 0)] * 4, (0, 1, 2, 40)
    filtered = Surprise(Noise(np.array([0.05]), np.array([0.9]), np.array([0.01])))
    level, chance = readings[0].level[:1], np.array([1 / ROWS])
    surprises = np.array([filtered.step(level, chance, passed) for passed in (1, 1, 1, 38)])
    heights = scanned_heights(surprises, Watched(np.zeros(1, bool), np.zeros(1), np.full(1, 1e12)))
    found = stepped(Chart(panel, normal_of(a=usual), HOUR_MS, NEVER_REACHED), readings, hours)
    expected = improbability(heights, np.zeros(1, bool))[:, 0] - HANDICAPS[0]
    np.testing.assert_allclose([one.improbability[0] for one in found], expected)
    assert surprises[3, 0] > 1.5 * surprises[2, 0], "the gap made it a surprise again"


def test_a_stretch_is_dated_by_its_buckets_whatever_gaps_are_between(panel: Panel) -> None:
    hours = [0, 1, 2, 10, 11, 30]
    readings = [reading(0, 0, 0)] * 2 + [reading(3.0, 0, math.nan)] * 4
    last = stepped(Chart(panel, None, HOUR_MS, NEVER_REACHED), readings, hours)[-1]
    assert last.since_ms.tolist() == [START_MS + 2 * HOUR_MS, START_MS + 30 * HOUR_MS, START_MS + 30 * HOUR_MS]
    assert last.rows[0] == 4 * ROWS
    assert last.improbability[0] == pytest.approx(chance_of(6) - HANDICAPS[0])


def test_a_stretch_reaches_no_further_back_than_the_first_bucket(panel: Panel) -> None:
    """Three buckets are a stretch of three; long after, one of 64 lies behind all that is forgotten."""
    chart = Chart(panel, None, HOUR_MS, NEVER_REACHED)
    looked = stepped(chart, [reading(1.0, 0, 0)] * 200)
    assert looked[2].since_ms[0] == START_MS
    assert looked[4].since_ms[0] in (START_MS, START_MS + HOUR_MS)
    assert looked[-1].since_ms[0] == START_MS + (200 - LENGTHS[-1]) * HOUR_MS
    assert looked[-1].improbability[0] == pytest.approx(chance_of(8) - HANDICAPS[0])


def test_too_few_rows_are_no_verdict_until_there_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    few = panel_of(monkeypatch, {"d": [signal_of("a", skewness=-math.sqrt(1_000.0))]})
    found = [one.improbability[0] for one in stepped(Chart(few, None, HOUR_MS, NEVER_REACHED), [reading(3.0)] * 3)]
    assert found[:2] == [0, 0]
    assert found[2] > 0


def test_one_look_a_bucket_is_a_verdict_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    single = panel_of(monkeypatch, {"d": [signal_of("a")]})
    (found,) = stepped(Chart(single, None, HOUR_MS, NEVER_REACHED), [reading(5.0, rows=1)])
    assert found.improbability[0] == pytest.approx(chance_of(5))


def test_a_skewed_signal_is_as_improbable_as_its_rows_make_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exponential rows: the chance of their mean is a gamma variable's."""
    skewed = panel_of(monkeypatch, {"d": [signal_of("a", skewness=2.0, rises_only=True)]})
    (found,) = stepped(Chart(skewed, None, HOUR_MS, NEVER_REACHED), [reading(4.0, rows=16)])
    assert found.improbability[0] == pytest.approx(-math.log10(stats.gamma.sf(16 + 4 * 4, 16)), abs=0.02)


def test_a_fall_is_nothing_where_only_rises_count(monkeypatch: pytest.MonkeyPatch) -> None:
    rising = panel_of(monkeypatch, {"d": [signal_of("a", rises_only=True)]})
    (fall,), (rise,) = (stepped(Chart(rising, None, HOUR_MS, NEVER_REACHED), [reading(deviations)]) for deviations in (-5.0, 5.0))
    assert fall.improbability[0] == pytest.approx(math.log10(2))
    assert rise.improbability[0] == pytest.approx(chance_of(5) + math.log10(2))


def test_a_reference_of_few_rows_is_doubted_as_much_as_it_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference of 2,000 rows that is wrong by three of its own standard errors is no sight of six deviations, however long."""
    reference = 2_000.0
    doubted = panel_of(monkeypatch, {"d": [signal_of("a", reference=reference)]})
    wrong = Readings(np.array([3 / math.sqrt(reference)]), np.array([ROWS]), np.array([1.0]))
    assert max(one.improbability[0] for one in stepped(Chart(doubted, None, HOUR_MS, NEVER_REACHED), [wrong] * 64)) < chance_of(
        3.5
    )


def test_the_chart_gives_the_heights_that_false_alarms_were_simulated_with(panel: Panel) -> None:
    buckets = 40
    levels = np.random.default_rng(1).normal(size=(100, 3))
    signals = normal_of(a=usual_of(buckets=buckets, rows=buckets * ROWS), b=usual_of(buckets=buckets, rows=buckets * ROWS))
    found = [
        one.improbability[:2] for one in stepped(Chart(panel, signals, HOUR_MS, NEVER_REACHED), [reading(*row) for row in levels])
    ]
    watched = Watched(np.zeros(2, bool), np.zeros(2), np.full(2, float(buckets)))
    expected = improbability(scanned_heights(levels[:, :2], watched), watched.rises_only) - panel.handicaps[:2]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_season_of_a_share_is_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing by day and three of ten by night, a tenth on average: neither is an effect."""
    panel = panel_of(monkeypatch, {"d": [signal_of("a", share=0.1)]})
    night = [0.3 if hour < 8 else 0.0 for hour in range(24)]
    season = [2 * (math.asin(math.sqrt(share)) - math.asin(math.sqrt(0.1))) for share in night]
    chart = Chart(panel, normal_of(a=usual_of(hour=season)), HOUR_MS, NEVER_REACHED)
    readings = [Readings(np.array([season[hour]]), np.array([ROWS]), np.array([night[hour] - 0.1])) for hour in range(24)]
    assert all(abs(one.effect[0]) < 1e-9 for one in stepped(chart, readings))
