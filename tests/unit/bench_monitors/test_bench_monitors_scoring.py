"""The rules by which the monitors are compared with other tools."""

import numpy as np
import pytest

from tests.bench.monitors.rivals.exchange import Asked, Told
from tests.bench.monitors.rivals.scoring import ASKED, Delays, alarms, delays, first, setting_of, threshold_of
from tests.bench.monitors.rivals.table import OWN, rows_of


def flags(text: str) -> np.ndarray:
    return np.array([one == "x" for one in text])


@pytest.mark.parametrize(
    ("course", "number"),
    [("....", 0), ("x...", 1), ("xx.x", 1), ("x..x", 1), ("x...x", 2), ("x" * 24, 1), ("x" * 25, 2), ("x" * 72, 3)],
)
def test_an_alarm_begins_after_three_quiet_buckets_and_counts_again_each_day(course: str, number: int):
    assert alarms(flags(course)) == number


def test_a_threshold_lets_as_many_alarms_through_as_asked():
    values = np.random.default_rng(0).normal(size=20_000)
    threshold = threshold_of(values, 20)
    assert alarms(values >= threshold) == 20
    assert 2.5 < threshold < 4


def test_a_threshold_of_ties_lets_fewer_through_rather_than_all():
    values = np.zeros(1_000)
    assert not (values >= threshold_of(values, 3)).any()
    values[[100, 200]] = 1.0
    assert alarms(values >= threshold_of(values, 3)) == 2
    assert threshold_of(np.full(5, np.nan), 3) == np.inf


def test_nan_is_no_alarm():
    values = np.array([np.nan, 3.0, 1.0, 1.0, 1.0, 1.0, 2.0])
    assert alarms(values >= threshold_of(values, 1)) == 1


def test_a_setting_lies_between_those_that_raise_too_many_and_too_few():
    assert setting_of([0.1, 0.01, 0.001], [200, 20, 1], 20) == pytest.approx(0.01)
    assert 0.001 < setting_of([0.1, 0.01, 0.001], [200, 60, 1], 20) < 0.01
    assert setting_of([0.1, 0.01], [5, 1], 20) == 0.1  # the most sensitive one raises no more
    assert setting_of([0.1, 0.01], [500, 100], 20) == 0.01  # the least sensitive one raises no fewer


def test_what_isnt_found_waits_for_the_horizon():
    assert delays([1, 3, None], 200) == Delays(2 / 3, 68.0, pytest.approx(66.0, abs=0.1))
    assert first(flags("..x.x")) == 3
    assert first(flags("...")) is None


def compared(**mean: tuple[int, int]) -> tuple[bool, bool]:
    """Return whether driftwake holds and is best; of each tool its delay, and its alarms in ten calm months."""
    world = Told("w", "", [], [], [("c", "inputs")], 200, 1, 1, 10)
    found = [
        Asked("w", OWN if tool == "own" else tool, "inputs", 0.0, (10.0, 10.0), (count, count), ({"c": [delay]}, {"c": [delay]}))
        for tool, (delay, count) in mean.items()
    ]
    row = rows_of(world, found)[0]
    return row.holds, row.is_best


def test_driftwake_holds_within_a_tenth_of_the_best_that_competes():
    asked = int(10 * ASKED)
    assert compared(own=(10, asked), one=(10, asked)) == (True, True)
    assert compared(own=(11, asked), one=(10, asked)) == (True, False)
    assert compared(own=(12, asked), one=(10, asked)) == (False, False)
    assert compared(own=(12, asked), one=(10, asked), two=(12, asked)) == (False, False)
    assert compared(own=(12, asked), one=(1, 3 * asked)) == (True, True)  # who alarms by chance too often is out of it
