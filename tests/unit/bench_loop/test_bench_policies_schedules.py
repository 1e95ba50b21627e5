"""Policies that look at the calendar only, and that weekly retrains as the offline figures do."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.bench.closed_loop.policies.base import DAY_MS, TRAILING_MS, WEEK_MS, Policy, Retrain
from tests.bench.closed_loop.policies.daily import Daily, times_asked
from tests.bench.closed_loop.policies.grid import Grid
from tests.bench.closed_loop.policies.never import Never
from tests.bench.closed_loop.policies.trailing import trailing
from tests.bench.closed_loop.policies.weekly import Weekly
from tests.unit.bench_loop.policy_world import HOUR_MS, day, moment, world

OFFLINE = Path(__file__).resolve().parents[4] / "shared" / "bench" / "offline.py"
LAST_DAY = 122


def asked(policy: Policy, since_ms: int, until_ms: int, every_ms: int = HOUR_MS) -> list[tuple[int, Retrain]]:
    """What a policy asks for at the ends of a replay's buckets."""
    found = []
    for time_ms in range(since_ms + every_ms, until_ms + 1, every_ms):
        wanted = policy.decide(moment(time_ms))
        if wanted is not None:
            found.append((time_ms, wanted))
    return found


def test_weekly_retrains_on_days_70_77_84_on_35_days_whose_labels_are_known():
    found = asked(Weekly(world()), day(70), day(LAST_DAY))
    weeks = list(range(70, LAST_DAY, 7))
    assert [(wanted.since_ms, wanted.until_ms) for _, wanted in found] == [(day(w - 42), day(w - 7)) for w in weeks]
    # The replay's first bucket ends an hour after its start; later weeks end with a bucket.
    assert [time_ms for time_ms, _ in found] == [day(70) + HOUR_MS, *(day(w) for w in weeks[1:])]
    assert all(wanted.windows is None and not wanted.gate for _, wanted in found)


@pytest.mark.shared
@pytest.mark.skipif(not OFFLINE.is_file(), reason="the offline figures aren't beside the checkout")
def test_weekly_trains_on_the_very_windows_of_the_offline_figures(monkeypatch: pytest.MonkeyPatch):
    offline, fitted = _offline(), []

    class Fitted:
        def predict_proba(self, x: np.ndarray) -> np.ndarray:
            return np.zeros((len(x), 2))

    def fit(_x: np.ndarray, _y: np.ndarray, _day: np.ndarray, first: int, last: int) -> Fitted:
        fitted.append((day(first), day(last)))
        return Fitted()

    monkeypatch.setattr(offline, "fit", fit)
    days = np.arange(offline.LAST_DAY)
    offline.weekly(np.zeros((len(days), 1)), np.zeros(len(days)), days, 70)
    found = asked(Weekly(world()), day(70), day(offline.LAST_DAY))
    assert [(wanted.since_ms, wanted.until_ms) for _, wanted in found] == fitted
    assert len(fitted) == 8


def _offline() -> ModuleType:
    spec = importlib.util.spec_from_file_location("offline_figures", OFFLINE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_weekly_counts_weeks_from_the_epoch_and_cuts_its_window_there():
    found = asked(Weekly(world(start_ms=day(10.5))), day(10.5), day(22))
    assert found == [
        (day(14), Retrain(day(0), day(7), why="a week is over")),
        (day(21), Retrain(day(0), day(14), why="a week is over")),
    ]


def test_weekly_asks_for_nothing_while_no_row_has_a_known_label():
    assert asked(Weekly(world(start_ms=day(0))), day(0), day(7)) == []


def test_weekly_asks_for_the_newest_week_only_after_a_long_bucket():
    found = asked(Weekly(world()), day(70), day(110), every_ms=20 * DAY_MS)
    assert [(time_ms, wanted.until_ms) for time_ms, wanted in found] == [(day(90), day(77)), (day(110), day(98))]


def test_daily_retrains_every_day_on_as_long_a_window():
    found = asked(Daily(world()), day(70), day(80))
    assert [wanted.until_ms for _, wanted in found] == [day(d - 7) for d in range(70, 81)]
    assert {wanted.until_ms - wanted.since_ms for _, wanted in found} == {TRAILING_MS}


def test_never_asks_for_nothing():
    assert asked(Never(), day(70), day(100)) == []


def test_a_grid_reports_the_start_itself_and_every_point_once():
    grid = Grid(world(), WEEK_MS)
    assert [grid.passed(day(d)) for d in (69, 70, 70, 76, 77.5, 78, 91)] == [None, day(70), None, None, day(77), None, day(91)]


def test_what_a_gate_compares_on_lies_behind_the_trailing_window():
    wanted = trailing(world(), day(100), "why", held_out_ms=WEEK_MS, gate=True)
    assert wanted == Retrain(day(100 - 7 - 7 - 35), day(100 - 7 - 7), why="why", gate=True)


@pytest.mark.parametrize("every_ms", [HOUR_MS, 5 * HOUR_MS, 2 * DAY_MS])
def test_a_daily_policy_that_is_not_played_is_counted_as_if_it_were(every_ms: int):
    played = len(asked(Daily(world()), day(70), day(80), every_ms))
    assert times_asked(world(), day(80), every_ms) == played
    # Nothing is known before the first day, so there is nothing to train on.
    assert times_asked(world(start_ms=day(0)), day(10), HOUR_MS) == 3
