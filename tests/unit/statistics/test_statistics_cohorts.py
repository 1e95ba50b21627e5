"""Cohorts by age: short ones lately, fewer and longer ones before, and none that is split among others while it is waited for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.statistics.cohorts import FINE, MOST, awaited_ms, cohorts_of, length_ms

MINUTE = 60_000


@pytest.mark.parametrize(
    ("buckets", "length"),
    [
        (0, 1), (1, 1), (FINE - 1, 1), (FINE, 2), (2 * FINE - 1, 2), (2 * FINE, 4), (4 * FINE - 1, 4), (4 * FINE, 8),
        (FINE << 16, 1 << 16), (FINE << 30, 1 << 16), (-5, 1),
    ],
)  # fmt: skip
def test_cohorts_are_twice_as_long_from_each_doubling_of_their_age_on(buckets: int, length: int) -> None:
    assert length_ms(np.array([buckets * MINUTE]), MINUTE).tolist() == [length * MINUTE]


def test_however_long_labels_take_there_are_few_cohorts() -> None:
    start_ms = 10_000_000 * MINUTE
    asked_ms = start_ms - np.unique(np.geomspace(1, 2**50, 1_000_000).astype(np.int64)) * MINUTE
    every = np.concatenate([asked_ms, start_ms - np.arange(200_000) * MINUTE, start_ms + np.arange(1, 200_000) * MINUTE])
    begins = cohorts_of(every, start_ms, MINUTE)
    assert len(np.unique(begins)) <= MOST
    month = cohorts_of(start_ms - np.arange(30 * 24 * 60) * MINUTE, start_ms, MINUTE)
    assert len(np.unique(month)) < FINE + 6 * (FINE // 2 + 1), "of minutes"


@settings(deadline=None)
@given(st.integers(0, 50_000), st.integers(1, 90 * 86_400_000), st.integers(0, 10**9))
def test_a_request_lies_in_its_cohort_which_is_no_longer_than_its_age_says(age: int, bucket_ms: int, number: int) -> None:
    start_ms = number * bucket_ms
    asked_ms = start_ms - age * bucket_ms + bucket_ms // 2
    (begin,) = cohorts_of(np.array([asked_ms]), start_ms, bucket_ms).tolist()
    (length,) = length_ms(np.array([age * bucket_ms]), bucket_ms).tolist()
    assert begin <= asked_ms < begin + length
    assert begin % length == 0
    assert cohorts_of(np.array([asked_ms] * 2), np.array([start_ms, asked_ms // bucket_ms * bucket_ms]), bucket_ms).tolist() == [
        begin, asked_ms // bucket_ms * bucket_ms,
    ]  # fmt: skip


@settings(deadline=None)
@given(st.integers(1, 40_000), st.integers(0, 10**6), st.data())
def test_what_is_waited_for_is_split_among_no_others(wait: int, cell: int, data: st.DataObject) -> None:
    """Whenever a label comes while its cohort waits, it is counted in one that lies within it."""
    length = awaited_ms(wait * MINUTE, MINUTE)
    begin_ms = cell * length
    asked_ms = begin_ms + data.draw(st.integers(0, length - 1))
    known = data.draw(st.integers(asked_ms // MINUTE, (begin_ms + length) // MINUTE + wait - 1))
    (counted,) = cohorts_of(np.array([asked_ms]), known * MINUTE, MINUTE).tolist()
    assert begin_ms <= counted < begin_ms + length


def test_up_to_a_thousand_buckets_each_is_waited_for_by_itself() -> None:
    assert {awaited_ms(wait * MINUTE, MINUTE) for wait in range(FINE)} == {MINUTE}
    assert awaited_ms(30 * 24 * 60 * MINUTE, MINUTE) == 64 * MINUTE, "a month of minutes: an hour"
