"""What ranges of sorted facts are answered from, each against the plain way."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from streams.windows.distinct import count_distinct, gathered, previous
from streams.windows.facts import Floats, Integers
from streams.windows.latest import NONE, Latest, nth_newest
from streams.windows.ranges import Extremes, Moments, Ranges
from streams.windows.sums import Running, totals

FACTS = 700


@pytest.fixture
def values() -> Floats:
    rng = np.random.default_rng(0)
    found = rng.normal(size=FACTS) * rng.choice([1e-3, 1.0, 1e9], FACTS)
    found[rng.random(FACTS) < 0.2] = np.nan
    return found


@pytest.fixture
def spans() -> tuple[Integers, Integers]:
    """Ranges of any length: empty ones, within a block, over many."""
    rng = np.random.default_rng(1)
    start = rng.integers(0, FACTS + 1, 500)
    stop = np.minimum(start + rng.choice([0, 1, 5, 31, 32, 33, 64, 300, FACTS], 500), FACTS)
    return start, stop


def plain(values: Floats, spans: tuple[Integers, Integers], fold: Callable[[list[float]], float]) -> list[float]:
    members = [values[start:stop] for start, stop in zip(*spans, strict=True)]
    return [fold(some[~np.isnan(some)].tolist()) for some in members]


def test_least_and_largest(values: Floats, spans: tuple[Integers, Integers]):
    low, high = Ranges(Extremes(), values[None]).between(*spans)
    assert low.tolist() == plain(values, spans, lambda some: min(some, default=math.inf))
    assert high.tolist() == plain(values, spans, lambda some: max(some, default=-math.inf))


def test_moments(values: Floats, spans: tuple[Integers, Integers]):
    hours = np.sort(np.random.default_rng(2).random(FACTS) * 1e4)
    count, mean, middle, squares, of_time, products = Ranges(Moments(), np.stack([values, hours])).between(*spans)
    for place, (start, stop) in enumerate(zip(*spans, strict=True)):
        here = ~np.isnan(values[start:stop])
        some, when = values[start:stop][here], hours[start:stop][here]
        assert count[place] == len(some)
        if len(some):
            assert mean[place] == pytest.approx(math.fsum(some) / len(some), rel=1e-12, abs=1e-12 * np.abs(some).max())
            assert middle[place] == pytest.approx(when.mean())
            size = np.square(some - some.mean()).sum()
            assert squares[place] == pytest.approx(size, rel=1e-9, abs=1e-20)
            assert of_time[place] == pytest.approx(np.square(when - when.mean()).sum(), rel=1e-9, abs=1e-9)
            rough = np.abs(some).max() * len(some) * 1e4
            assert products[place] == pytest.approx(
                ((some - some.mean()) * (when - when.mean())).sum(), rel=1e-9, abs=1e-12 * rough
            )


def test_spread_is_seen_beside_a_large_mean():
    values = 1e9 + np.tile([0.0, 1.0], 500)
    squares = Ranges(Moments(), np.stack([values, np.arange(1_000.0)])).between(np.array([3]), np.array([997]))[3]
    assert squares[0] == pytest.approx(994 / 4, rel=1e-9)


def test_sums_are_exact_and_don_t_depend_on_how_facts_are_split(values: Floats, spans: tuple[Integers, Integers]):
    values[::70] = 1e30
    values[5::70] = -1e30
    start, stop = spans
    whole = Running(values).between(start, stop)
    expected = plain(values, spans, math.fsum)
    count, total = totals(whole)
    assert count.tolist() == plain(values, spans, len)
    size = np.array(plain(values, spans, lambda some: math.fsum(map(abs, some))))
    assert (np.abs(total - expected) <= 4e-16 * size).all()
    cut = 333
    parts = Running(values[:cut]).between(np.minimum(start, cut), np.minimum(stop, cut)) + Running(values[cut:]).between(
        np.maximum(start - cut, 0), np.maximum(stop - cut, 0)
    )
    assert np.array_equal(totals(parts)[1], total)


def test_newest_of_distinct_times():
    rng = np.random.default_rng(3)
    at = np.sort(rng.integers(0, 120, 400))
    values = rng.normal(size=400)
    values[rng.random(400) < 0.3] = np.nan
    cuts = np.searchsorted(at, rng.integers(0, 121, (2, 200)))
    start, stop = cuts.min(axis=0), cuts.max(axis=0)
    latest = Latest(at, at, values)
    for back in (1, 2, 5):
        times, found = nth_newest(latest.between(start, stop, back), back)
        for place in range(200):
            members = [i for i in range(start[place], stop[place]) if not np.isnan(values[i])]
            distinct = sorted({at[i] for i in members}, reverse=True)
            if len(distinct) < back:
                assert (times[place], math.isnan(found[place])) == (NONE, True)
            else:
                assert times[place] == distinct[back - 1]
                assert found[place] == max(values[i] for i in members if at[i] == distinct[back - 1])


def test_no_value_has_no_newest():
    times, values = nth_newest(Latest(np.arange(3), np.arange(3), np.full(3, np.nan)).between(np.array([0]), np.array([3]), 2), 2)
    assert (times.tolist(), math.isnan(values[0])) == ([NONE], True)


def test_different_values_are_counted(spans: tuple[Integers, Integers]):
    rng = np.random.default_rng(4)
    keys = np.sort(rng.integers(0, 5, FACTS))
    values = rng.integers(0, 9, FACTS).astype(np.float64)
    starts = np.searchsorted(keys, np.arange(6))
    key = rng.integers(0, 5, 500)
    start, stop = (np.clip(bound, starts[key], starts[key + 1]) for bound in spans)
    stop = np.maximum(start, stop)
    expected = [len(set(values[a:b])) for a, b in zip(start, stop, strict=True)]
    assert count_distinct(previous(keys, values), start, stop).tolist() == expected
    ranges, _ = gathered(values, start, stop)
    assert np.bincount(ranges, minlength=500).tolist() == expected


def test_nothing_has_no_different_values():
    nothing = np.zeros(0, np.int64)
    assert count_distinct(nothing, np.array([0]), np.array([0])).tolist() == [0]
    assert gathered(np.zeros(0), np.array([0]), np.array([0]))[1].tolist() == []
