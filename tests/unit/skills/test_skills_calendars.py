"""What days and hours alone do to columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from skills._kit.calendars import WEEK_MS, beyond_calendar, calendar_psi
from skills._kit.shifts import Shift
from streams.contracts.bundle import NumberProfile, Profile
from streams.statistics.calendar import DAY_MS

HOUR_MS = DAY_MS // 24
ONE = NumberProfile(edges=[0.5], shares=[5 / 7, 2 / 7], missing=0.0, low=0.0, high=1.0, sample=[0.0, 1.0])
PROFILE = Profile(
    rows=100, numbers={"weekend": ONE, "size": ONE, "w_a": ONE}, score=ONE, label_mean=0.0, loss_mean=0.0, loss_std=1.0
)  # fmt: skip
SUNDAY = 6 * WEEK_MS + 6 * DAY_MS


def rows(first_ms: int, last_ms: int) -> pa.Table:
    """A row an hour; `size` is no other at weekends."""
    time_ms = np.arange(first_ms, last_ms, HOUR_MS)
    return pa.table(
        {
            "time_ms": time_ms,
            "weekend": (time_ms % WEEK_MS >= 5 * DAY_MS).astype(np.float64),
            "size": (time_ms // HOUR_MS % 2).astype(np.float64),
        }
    )


def test_a_sunday_is_compared_with_earlier_sundays() -> None:
    earlier = [rows(SUNDAY - WEEK_MS, SUNDAY + DAY_MS), rows(SUNDAY - 3 * WEEK_MS, SUNDAY - WEEK_MS)]
    found = calendar_psi(PROFILE, earlier, SUNDAY, SUNDAY + DAY_MS)
    assert set(found) == {"weekend", "size"}, "windows aren't columns"
    assert found["weekend"] > 3
    assert found["size"] == pytest.approx(0.0, abs=0.01)
    assert calendar_psi(PROFILE, earlier[::-1], SUNDAY, SUNDAY + DAY_MS) == found
    assert calendar_psi(PROFILE, earlier, SUNDAY, SUNDAY + 7 * HOUR_MS)["weekend"] == found["weekend"], "nor are its hours"


def test_what_came_since_the_change_says_nothing_of_the_time_before() -> None:
    moved = rows(SUNDAY, SUNDAY + DAY_MS).set_column(2, "size", pa.array(np.full(24, 9.0)))
    earlier = [pa.concat_tables([rows(SUNDAY - WEEK_MS, SUNDAY), moved])]
    assert calendar_psi(PROFILE, earlier, SUNDAY, SUNDAY + DAY_MS)["size"] == pytest.approx(0.0, abs=0.01)


def test_without_a_week_before_or_of_a_week_nothing_is_known() -> None:
    assert calendar_psi(PROFILE, [rows(SUNDAY - 6 * DAY_MS, SUNDAY)], SUNDAY, SUNDAY + DAY_MS) == {}
    assert calendar_psi(PROFILE, [rows(SUNDAY - 2 * WEEK_MS, SUNDAY)], SUNDAY, SUNDAY + WEEK_MS) == {}
    assert calendar_psi(PROFILE, [rows(SUNDAY, SUNDAY)], SUNDAY, SUNDAY + DAY_MS) == {}
    assert calendar_psi(PROFILE, [], SUNDAY, SUNDAY + DAY_MS) == {}


def test_what_is_usual_is_taken_off_and_the_rest_sorted() -> None:
    shifts = [
        Shift("weekend", 7.0, 1.0, 0.0, 0.0, 0.0),
        Shift("size", 0.5, 1.0, 0.0, 0.0, 0.0),
        Shift("c", 0.6, 1.0, 0.0, 0.0, 0.0),
    ]
    found = beyond_calendar(shifts, {"weekend": 7.2, "size": 0.1})
    assert [(one.feature, one.statistic) for one in found] == [("c", 0.6), ("size", pytest.approx(0.4)), ("weekend", 0.0)]
