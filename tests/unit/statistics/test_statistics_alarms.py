"""How often chance raises an alarm: peaks, their tail, and the streams that they are counted in."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from streams.statistics.alarms import OVERWHELMING, Course, Tail, assumed_tail, drawn_blocks, learn_tail, peaks, persistent
from streams.statistics.scan import Watched, improbability, scanned_heights

Floats = npt.NDArray[np.float64]
Stream = tuple[Floats, Floats]

DAILY, HOURLY = 1.0, 1 / 24
COURSES = st.builds(Course, st.integers(1, 4), st.integers(1, 4))
# Halves, so that what is three above is so exactly.
HEIGHTS = hnp.arrays(np.int64, st.tuples(st.integers(1, 50), st.integers(1, 3)), elements=st.integers(-2, 12)).map(
    lambda n: n / 2
)


def slow_lasting(heights: Floats, course: Course) -> list[float]:
    found = []
    for end, row in enumerate(heights):
        overwhelming = max(row) - (OVERWHELMING if course.confirm_after > 1 else 0)
        last = [heights[end - back] for back in range(course.confirm_after) if end >= back]
        runs = [min(one[signal] for one in last) for signal in range(len(row)) if len(last) == course.confirm_after]
        found.append(max([overwhelming, *runs]))
    return found


def slow_peaks(lasting: list[float], highest: list[float], level: float, course: Course) -> list[float]:
    """Bucket by bucket: begun by what lasts, over after enough buckets in a row below the level."""
    found: list[float] = []
    silent, is_on = 0, False
    for counted, high in zip(lasting, highest, strict=True):
        silent = 0 if high >= level else silent + 1
        is_on = is_on and silent < course.clear_after
        if counted >= level:
            found, is_on = ([*found[:-1], max(found[-1], counted)] if is_on else [*found, counted]), True
    return found


@given(HEIGHTS, COURSES)
@settings(deadline=None)
def test_what_lasts_is_one_signals_least_or_an_overwhelming_one(heights: Floats, course: Course) -> None:
    before = heights.copy()
    assert persistent(heights, course).tolist() == slow_lasting(heights, course)
    assert np.array_equal(heights, before)


@given(HEIGHTS, COURSES, st.integers(-1, 12).map(lambda half: half / 2))
@settings(max_examples=300, deadline=None)
def test_peaks_are_those_of_a_stream_that_is_walked_through(heights: Floats, course: Course, level: float) -> None:
    lasting, highest = persistent(heights, course), heights.max(axis=1)
    assert peaks(lasting, highest, level, course) == slow_peaks(lasting.tolist(), highest.tolist(), level, course)


@given(st.floats(-1, 5), st.floats(1e-4, 1), st.floats(0.01, 3), st.floats(1e-9, 1))
@settings(deadline=None)
def test_the_threshold_of_a_rate_is_reached_at_that_rate(level: float, rate: float, excess: float, asked: float) -> None:
    tail = Tail(level, rate, excess)
    assert tail.chance(tail.threshold(asked)) == pytest.approx(asked, rel=1e-6)
    assert tail.threshold(rate) == pytest.approx(level)
    assert tail.threshold(asked / math.e) == pytest.approx(tail.threshold(asked) + excess)


def test_what_is_assumed_falls_by_ten_for_each_power_of_ten() -> None:
    assert assumed_tail().chance(3) == pytest.approx(assumed_tail().chance(2) / 10)


def spikes(number: int, every: int, excess: float, seed: int) -> Stream:
    """Alarms of one bucket at known places, whose heights are exponential."""
    highest = np.zeros(number)
    highest[every // 2 :: every] = np.random.default_rng(seed).exponential(excess, number // every)
    return highest, highest


def test_an_exponential_tail_is_learnt_as_it_is() -> None:
    tail = learn_tail([spikes(100_000, 10, 0.5, 1)], Course(1, 3), 0.02)
    assert tail.rate == pytest.approx(0.02, rel=0.01)
    assert tail.level == pytest.approx(0.5 * math.log(0.1 / 0.02), rel=0.05)
    assert tail.excess == pytest.approx(0.5, rel=0.08)
    assert tail.chance(4.0) == pytest.approx(0.1 * math.exp(-8), rel=0.6)
    two = learn_tail([spikes(100_000, 10, 0.5, seed) for seed in (1, 2)], Course(1, 3), 0.02)
    assert two.chance(2.0) == pytest.approx(0.2 * math.exp(-4), rel=0.2), "the alarms of all streams add up"


def test_a_tail_is_learnt_from_no_fewer_than_thirty_peaks_and_of_equal_ones() -> None:
    short = spikes(2_000, 10, 0.5, 3)
    assert learn_tail([short], Course(1, 3), 1e-6).rate == pytest.approx(30 / 2_000)
    equal = np.zeros(2_000)
    equal[::10] = 2.0
    tail = learn_tail([(equal, equal)], Course(1, 3), 0.2)
    assert tail.excess > 0
    assert math.isfinite(tail.threshold(1e-6))


def undisturbed(buckets: int, groups: int, signals: int, course: Course, seed: int = 0) -> list[Stream]:
    """Independent normal surprises of some groups of signals, scanned and handicapped for all that is looked at."""
    surprises = np.random.default_rng(seed).normal(size=(buckets, groups * signals))
    watched = Watched(np.zeros(groups * signals, bool), np.zeros(groups * signals), np.full(groups * signals, 1e12))
    found = improbability(scanned_heights(surprises, watched), watched.rises_only) - math.log10(groups * signals)
    parts = [found[:, group * signals : (group + 1) * signals] for group in range(groups)]
    return [(persistent(part, course), part.max(axis=1)) for part in parts]


@pytest.mark.parametrize(("bucket_days", "often"), [(DAILY, 0.1), (HOURLY, 8 / 30 / 24)])
def test_undisturbed_streams_alarm_as_often_as_is_assumed(bucket_days: float, often: float) -> None:
    """Two alarms a month, learnt on one stream, come at that rate in another, and at about that rate by what is assumed."""
    course, asked, buckets = Course(2, 3), 2 / 30 * bucket_days, 60_000
    tail = learn_tail(undisturbed(buckets, 6, 3, course, 1), course, often)
    assert 1 / 1.5 < tail.chance(assumed_tail().threshold(asked)) / asked < 1.5
    new = undisturbed(buckets, 6, 3, course, 2)
    for threshold in (tail.threshold(asked), assumed_tail().threshold(asked)):
        assert 1 / 1.5 < sum(len(peaks(*stream, threshold, course)) for stream in new) / buckets / asked < 1.5


@pytest.mark.parametrize(("groups", "least"), [(1, 1 / 3), (2, 1 / 1.5)])
def test_few_signals_alarm_as_often_as_many(groups: int, least: float) -> None:
    """Daily buckets and one or two detectors: so many alarms hardly fit into a stream (of one signal half of them)."""
    course, asked = Course(2, 3), 2 / 30
    level = learn_tail(undisturbed(20_000, groups, 1, course), course, 0.1).threshold(asked)
    found = sum(len(peaks(*stream, level, course)) for stream in undisturbed(20_000, groups, 1, course, seed=1))
    assert least < found / 20_000 / asked < 1.5


def numbered(buckets: int, signals: int) -> Floats:
    """The hundreds say which signal, the rest which bucket."""
    return np.arange(buckets, dtype=np.float64)[:, None] + 1_000 * np.arange(signals)


@given(st.integers(1, 40), st.integers(1, 100), st.integers(1, 50), st.integers(0, 9))
@settings(deadline=None)
def test_blocks_keep_neighbours_and_signals_together(history: int, buckets: int, block: int, seed: int) -> None:
    drawn = drawn_blocks(numbered(history, 3), buckets, block, np.random.default_rng(seed))
    assert drawn.shape == (buckets, 3)
    assert np.array_equal(drawn - drawn[:, :1], np.tile([0.0, 1_000, 2_000], (buckets, 1))), "all signals of one bucket"
    steps, length = np.diff(drawn[:, 0]), min(block, history)
    inside = np.arange(1, buckets) % length > 0
    assert (steps[inside] == 1).all(), "neighbours of one block"
    assert drawn[:, 0].min() >= 0
    assert drawn[:, 0].max() < history


def test_every_part_of_the_history_is_drawn_about_as_often() -> None:
    drawn = drawn_blocks(numbered(50, 1), 200_000, 5, np.random.default_rng(1))
    counts = np.bincount(drawn[:, 0].astype(int), minlength=50)
    inner = counts[4:-4]
    assert inner.max() < 1.2 * inner.min()
    assert counts.min() > 0


def test_what_the_history_lacks_is_drawn_from_the_normal_distribution() -> None:
    history = np.full((20, 2), np.nan)
    history[:, 1] = 7.0
    drawn = drawn_blocks(history, 20_000, 4, np.random.default_rng(2))
    assert (drawn[:, 1] == 7).all()
    assert drawn[:, 0].mean() == pytest.approx(0, abs=0.03)
    assert drawn[:, 0].std() == pytest.approx(1, abs=0.03)
    assert len(np.unique(drawn[:, 0])) == len(drawn)
