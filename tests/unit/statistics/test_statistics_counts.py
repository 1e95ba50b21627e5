"""Counting on a reference's bins for many groups at once, against counting one by one."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.bundle import CategoryProfile, NumberProfile
from streams.contracts.summaries import CategoryCounts, NumberCounts
from streams.statistics.counts import count_categories, count_numbers

GROUPS = st.integers(0, 3)
VALUES = st.one_of(st.just(math.nan), st.integers(-3, 12).map(lambda half: half / 2))
EDGES = st.lists(st.integers(0, 8).map(lambda half: half / 2), max_size=5, unique=True).map(sorted)


def profile_of(edges: list[float], low: float = 0.0, high: float = 4.0) -> NumberProfile:
    shares = [1 / (len(edges) + 1)] * (len(edges) + 1)
    return NumberProfile(edges=edges, shares=shares, missing=0.0, low=low, high=high, sample=[])


def counted(profile: NumberProfile, values: list[float]) -> NumberCounts:
    known = [value for value in values if not math.isnan(value)]
    bins = [0] * (len(profile.edges) + 1)
    for value in known:
        bins[sum(edge <= value for edge in profile.edges)] += 1
    return NumberCounts(
        bins=bins,
        missing=len(values) - len(known),
        low=sum(value < profile.low for value in known),
        high=sum(value > profile.high for value in known),
        least=min(known, default=None),
        most=max(known, default=None),
    )


@given(EDGES, st.lists(st.tuples(VALUES, GROUPS), max_size=60))
@settings(deadline=None)
def test_numbers_are_counted_like_one_by_one(edges: list[float], rows: list[tuple[float, int]]) -> None:
    profile = profile_of(edges)
    values, groups = np.array([row[0] for row in rows], np.float64), np.array([row[1] for row in rows], np.int64)
    expected = [counted(profile, [value for value, group in rows if group == number]) for number in range(4)]
    assert count_numbers(profile, values, groups, 4) == expected


def test_a_reference_without_a_range_has_nothing_beyond_it() -> None:
    """A column that was always missing has its lowest above its highest."""
    found = count_numbers(profile_of([], low=math.inf, high=-math.inf), np.array([-5.0, 5.0, math.nan]), np.zeros(3, np.int64), 1)
    assert found == [NumberCounts(bins=[2], missing=1, low=0, high=0, least=-5.0, most=5.0)]


def test_infinite_values_lie_beyond_all() -> None:
    values = np.array([math.inf, -math.inf, 1.0])
    (found,) = count_numbers(profile_of([1.0, 2.0]), values, np.zeros(3, np.int64), 1)
    assert found == NumberCounts(bins=[1, 1, 1], missing=0, low=1, high=1, least=-math.inf, most=math.inf)


@given(
    st.lists(st.sampled_from(["a", "b", "c", "d", ""]), unique=True, max_size=4),
    st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d", "new", "", None]), GROUPS), max_size=60),
)
@settings(deadline=None)
def test_categories_are_counted_like_one_by_one(names: list[str], rows: list[tuple[str | None, int]]) -> None:
    """The empty string is missing even where a reference names it."""
    profile = CategoryProfile(shares={name: 1 / len(names) for name in names}, missing=0.0)
    found = count_categories(profile, [row[0] for row in rows], np.array([row[1] for row in rows], np.int64), 4)
    for number, one in enumerate(found):
        values = Counter(value or None for value, group in rows if group == number)
        expected = {name: values[name] for name in names if name} | ({"": 0} if "" in names else {})
        unseen = sum(count for value, count in values.items() if value is not None and value not in names)
        assert one == CategoryCounts(counts=expected, unseen=unseen, missing=values[None])
    assert len(found) == 4


def test_no_rows_are_groups_of_nothing() -> None:
    empty, groups = np.empty(0), np.empty(0, np.int64)
    assert count_numbers(profile_of([1.0]), empty, groups, 2) == [NumberCounts(bins=[0, 0])] * 2
    profile = CategoryProfile(shares={"a": 1.0}, missing=0.0)
    assert count_categories(profile, [], groups, 2) == [CategoryCounts(counts={"a": 0})] * 2
    assert count_numbers(profile_of([1.0]), empty, groups, 0) == []
