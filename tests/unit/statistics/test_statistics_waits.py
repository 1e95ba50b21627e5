"""Times on bins of equal ratio: what lies where, and how near a quantile comes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streams.statistics.waits import BINS, LOGARITHMS, count_waits, longer, quantile


def of(*waits_ms: int) -> list[int]:
    return count_waits(np.array(waits_ms, np.int64)).tolist()


def test_the_middle_of_a_bin_is_within_a_tenth_of_what_lies_in_it() -> None:
    for wait in (1, 2, 3, 7, 50, 999, 86_400, 4_000_000):
        (place,) = np.flatnonzero(of(wait))
        assert 2 ** LOGARITHMS[place] == pytest.approx(wait, rel=0.1)


def test_less_than_a_millisecond_and_more_than_an_hour_have_a_bin_each() -> None:
    counts = of(-5, 0, 2**22, 2**40)
    assert len(counts) == BINS == len(LOGARITHMS)
    assert (counts[0], counts[-1], sum(counts)) == (2, 2, 4)
    assert of() == [0] * BINS


def test_longer_counts_from_a_power_of_two_on() -> None:
    counts = of(1, 1_023, 1_024, 5_000)
    assert [longer(counts, doublings) for doublings in (0, 9, 10, 11, 13, 22)] == [4, 3, 2, 1, 0, 0]


def test_counts_of_parts_add_up_to_those_of_the_whole() -> None:
    waits = np.random.default_rng(0).lognormal(4, 1, 999).astype(np.int64)
    assert (count_waits(waits[:400]) + count_waits(waits[400:])).tolist() == count_waits(waits).tolist()


def test_a_quantile_is_the_middle_of_its_bin() -> None:
    waits = np.random.default_rng(1).lognormal(math.log(100), 1, 20_000).astype(np.int64)
    for level in (0.1, 0.5, 0.99):
        assert quantile(count_waits(waits).tolist(), level) == pytest.approx(np.quantile(waits, level), rel=0.12)
    assert quantile(of(), 0.5) == quantile([], 0.5) == 0.0
    assert quantile(of(100), 0.0) == pytest.approx(100, rel=0.1), "not the first bin, which is empty"
