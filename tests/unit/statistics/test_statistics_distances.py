"""Distances of distributions, against other libraries and by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from streams.statistics.distances import jensen_shannon, psi, wasserstein

SHARES = st.lists(st.integers(0, 9), min_size=5, max_size=5).filter(any).map(lambda counts: np.array(counts) / sum(counts))


def test_psi_is_symmetric_and_counts_empty_bins_as_nearly_empty() -> None:
    one, other = np.array([0.5, 0.5]), np.array([0.8, 0.2])
    assert psi(one, other) == psi(other, one) == pytest.approx(0.3 * math.log(1.6) + 0.3 * math.log(2.5))
    assert psi(np.array([1.0, 0.0]), one) == pytest.approx(0.5 * math.log(2) + (0.5 - 1e-4) * math.log(0.5 / 1e-4))
    assert psi(one, one) == 0


@settings(max_examples=50, deadline=None)
@given(SHARES, SHARES)
def test_jensen_shannon_is_scipys_to_the_base_of_two(one: np.ndarray, other: np.ndarray) -> None:
    assert jensen_shannon(one, other) == pytest.approx(float(distance.jensenshannon(one, other, base=2)), abs=1e-7)


@settings(max_examples=50, deadline=None)
@given(SHARES, SHARES)
def test_wasserstein_is_that_of_rows_spread_over_their_bins(one: np.ndarray, other: np.ndarray) -> None:
    ends = [0.0, 1.0, 1.5, 4.0, 4.0, 6.0]
    fine = 2_000
    middles = (np.arange(fine) + 0.5) / fine
    points = np.concatenate([low + (high - low) * middles for low, high in pairwise(ends)])
    expected = stats.wasserstein_distance(points, points, np.repeat(one, fine), np.repeat(other, fine))
    assert wasserstein(one, other, ends) == pytest.approx(expected, abs=2e-3)


def test_moving_all_rows_by_two_is_a_distance_of_two() -> None:
    assert wasserstein(np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0]), [0.0, 1.0, 2.0, 3.0]) == pytest.approx(2.0)
