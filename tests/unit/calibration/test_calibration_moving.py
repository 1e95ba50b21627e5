"""Rows of counts go where they should, in cases that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from streams.calibration import moving
from streams.contracts.bundle import NumberProfile
from streams.contracts.summaries import CategoryCounts, NumberCounts

MANY = 100_000


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def profile_of(sample: list[float], edges: list[float]) -> NumberProfile:
    bins = np.bincount(np.searchsorted(edges, sample, side="right"), minlength=len(edges) + 1)
    shares = (bins / len(sample)).tolist()
    return NumberProfile(edges=edges, shares=shares, missing=0.0, low=min(sample), high=max(sample), sample=sorted(sample))


def test_a_median_split_moves_as_many_ranks_as_a_normal_variable_would() -> None:
    """Of the lower half those above -1 pass the middle when all move by 1: (0.5 - 0.1587) / 0.5."""
    passed = (0.5 - stats.norm.cdf(-1)) / 0.5
    assert moving.shifted([0.5, 0.5], 1.0) == pytest.approx(np.array([[1 - passed, passed], [0, 1]]))


@pytest.mark.parametrize("by", [0.25, 1.0])
def test_a_normal_variable_s_mean_moves_by_so_many_deviations(by: float) -> None:
    edges = stats.norm.ppf(np.arange(1, 400) / 400)
    shares = np.full(400, 1 / 400)
    moved = shares @ moving.shifted(shares.tolist(), by)
    assert np.cumsum(moved)[:-1] == pytest.approx(stats.norm.cdf(edges - by), abs=1e-9)


def test_nothing_moves_by_nothing_and_an_empty_bin_stays_what_it_is() -> None:
    assert moving.shifted([0.2, 0.5, 0.3], 0.0) == pytest.approx(np.eye(3))
    moved = moving.shifted([0.5, 0.0, 0.5], 8.0)
    assert moved[1] == pytest.approx([0, 1, 0])
    assert moved[0] == pytest.approx([0, 0, 1])


def test_values_in_another_unit_go_to_other_bins_or_out_of_range() -> None:
    """0 stays, 1 becomes 100 and 3 becomes 300; the largest was 150."""
    profile = profile_of([0.0, 0.0, 1.0, 3.0, 150.0], [0.5, 50.0])
    assert moving.rescaled(profile, 100.0) == pytest.approx(np.array([[1, 0, 0, 0, 0], [0, 0, 0.5, 0, 0.5], [0, 0, 0, 0, 1]]))
    lower = profile_of([-2.0, 1.0], [0.0])
    assert moving.rescaled(lower, 100.0) == pytest.approx(np.array([[0, 0, 1, 0], [0, 0, 0, 1]]))


def test_rows_out_of_range_are_in_the_outer_bins_too(generator: np.random.Generator) -> None:
    profile = profile_of([-2.0, 1.0], [0.0])
    found = moving.rescale(NumberCounts(bins=[7, 5], missing=3), moving.rescaled(profile, 100.0), generator)
    assert found == NumberCounts(bins=[7, 5], missing=3, low=7, high=5)


def test_rows_move_by_their_chances_and_none_is_lost(generator: np.random.Generator) -> None:
    counts = NumberCounts(bins=[MANY, MANY], missing=9, high=2)
    found = moving.move(counts, moving.shifted([0.5, 0.5], 1.0), generator)
    assert sum(found.bins) == 2 * MANY
    assert found.bins[0] / MANY == pytest.approx(stats.norm.cdf(-1) / 0.5, abs=0.01)
    assert (found.missing, found.high) == (9, 2)
    assert counts.bins == [MANY, MANY], "what was there stays as it was"


def test_known_values_get_lost(generator: np.random.Generator) -> None:
    numbers = moving.lose_numbers(NumberCounts(bins=[MANY, MANY], missing=10, low=MANY), 0.2, generator)
    assert numbers.missing == 10 + 2 * MANY - sum(numbers.bins)
    assert numbers.bins[0] / MANY == pytest.approx(0.8, abs=0.01)
    assert numbers.low / MANY == pytest.approx(0.8, abs=0.01)
    assert moving.lose_numbers(NumberCounts(bins=[5, 4], low=5), 1.0, generator) == NumberCounts(bins=[0, 0], missing=9)
    categories = moving.lose_categories(CategoryCounts(counts={"a": MANY, "b": 0}, missing=1, unseen=MANY), 0.2, generator)
    assert categories.missing == 1 + 2 * MANY - categories.counts["a"] - categories.unseen
    assert categories.counts["a"] / MANY == pytest.approx(0.8, abs=0.01)


def test_others_become_one_category(generator: np.random.Generator) -> None:
    found = moving.gather(CategoryCounts(counts={"a": 10, "b": MANY}, unseen=MANY, missing=4), "a", 0.25, generator)
    assert found.counts["b"] / MANY == pytest.approx(0.75, abs=0.01)
    assert found.unseen / MANY == pytest.approx(0.75, abs=0.01)
    assert found.counts["a"] == 10 + 2 * MANY - found.counts["b"] - found.unseen
    assert found.missing == 4


def test_a_share_of_a_histogram_is_drawn_like_another(generator: np.random.Generator) -> None:
    found = moving.redraw([0, MANY, 0], 0.5, np.array([3.0, 0.0, 1.0]), generator)
    assert sum(found) == MANY
    assert np.array(found) / MANY == pytest.approx([0.375, 0.5, 0.125], abs=0.01)
