from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.report.axes import Scale, covering, ticks, time_ticks
from daemon.report.wording import clean, duration, moment, number, p_value, percent, quality, range_of, short, signed, size
from streams.contracts.bundle import Interval

DAY = 86_400_000
DASH = "\N{EN DASH}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (171_462, "171,462"),
        (-3, "\N{MINUS SIGN}3"),
        (0.71234, "0.712"),
        (-0.5, "\N{MINUS SIGN}0.500"),
        (12.345, "12.3"),
        (456.7, "457"),
        (3e-7, "3.00e\N{MINUS SIGN}07"),
        (12_345_678.9, "1.23e+07"),
        (None, DASH),
        (math.nan, DASH),
        (math.inf, DASH),
    ],
)
def test_numbers_read_well(value: float, text: str):
    assert number(value) == text


def test_intervals_put_their_ends_in_order_and_differences_have_signs():
    assert range_of(Interval(0.5, 0.6, 0.4)) == "0.400 to 0.600"
    assert range_of(Interval(0.0, -0.1, 0.1), with_sign=True) == "\N{MINUS SIGN}0.100 to +0.100"
    assert range_of(Interval(math.nan, 0, 1)) == range_of(None) == DASH
    assert signed(0.0431) == "+0.043"
    assert quality(0.7) == "0.700"


@pytest.mark.parametrize(
    ("value", "text"), [(0.04, "0.040"), (0.00012, "1.2e\N{MINUS SIGN}04"), (1e-30, "< 1e\N{MINUS SIGN}12"), (math.nan, DASH)]
)
def test_p_values_read_well(value: float, text: str):
    assert p_value(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.34, "2.3 s"), (42, "42 s"), (312.4, "5 min 12 s"), (7_200, "2 h"), (15_897_600, "184 d"), (None, DASH), (math.inf, DASH)],
)
def test_durations_read_well(seconds: float | None, text: str):
    assert duration(seconds) == text


def test_times_are_utc_and_impossible_ones_are_left_out():
    assert moment(0) == "1970-01-01 00:00 UTC"
    assert moment(10**18) == moment(None) == DASH


def test_small_texts():
    assert percent(0.715) == "72\u00a0%"
    assert size(3 * 2**30) == "3.00 GiB"
    assert size(5 * 2**20) == "5 MiB"
    assert short("sha256:" + "ab" * 32) == "abababababab"


@settings(deadline=None)
@given(st.text(), st.integers(1, 50))
def test_clean_texts_are_bounded_printable_and_stable(text: str, limit: int):
    found = clean(text, limit)
    assert len(found) <= limit
    assert all(letter.isprintable() or letter == "\u00a0" for letter in found)
    assert clean(found, limit) == found


@settings(deadline=None)
@given(st.floats(-1e29, 1e29), st.floats(-1e29, 1e29), st.integers(1, 12))
def test_ticks_are_inside_rising_and_not_many(one: float, other: float, count: int):
    scale = covering([one, other], 0, 100)
    found = [value for value, _ in ticks(scale, count)]
    assert found == sorted(found)
    assert len(found) <= 2 * count + 2
    assert all(-1 <= scale.at(value) <= 101 for value in found)


def test_ticks_have_the_same_digits():
    assert [text for _, text in ticks(Scale(0.62, 0.79, 0, 1), 6)] == [
        "0.625",
        "0.650",
        "0.675",
        "0.700",
        "0.725",
        "0.750",
        "0.775",
    ]


@settings(deadline=None)
@given(st.integers(-(10**14), 10**15), st.integers(1, 10**13), st.integers(2, 12))
def test_time_ticks_are_inside_the_span_and_not_many(start: int, length: int, count: int):
    found = time_ticks(start, start + length, count)
    assert all(start <= time < start + length for time, _ in found)
    assert len(found) <= max(2 * count + 2, 100)


def test_time_ticks_are_months_over_half_a_year_and_days_over_a_week():
    assert [text for _, text in time_ticks(1_362_096_000_000, 1_362_096_000_000 + 184 * DAY, 12)] == [
        "Mar 2013",
        "Apr",
        "May",
        "Jun",
        "Jul",
        "Aug",
    ]
    assert [text for _, text in time_ticks(0, 3 * DAY, 12)] == ["1 Jan", "2 Jan", "3 Jan"]
