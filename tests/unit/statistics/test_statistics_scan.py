"""The scan over the last stretches: bucket by bucket, all at once, and by its definition."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from streams.statistics.scan import LENGTHS, Scan, Scanned, Watched, improbability, scanned_heights

Floats = npt.NDArray[np.float64]

SHORT = (1, 2, 4, 7)
NUMBERS = st.one_of(st.just(math.nan), st.floats(-8, 8))


def watched_of(signals: int, *, fewest: float = 0.0, history: float = 1e12, rises_only: bool = False) -> Watched:
    return Watched(np.full(signals, rises_only), np.full(signals, fewest), np.full(signals, history))


def stepped(watched: Watched, surprises: Floats, rows: Floats | None = None, effects: Floats | None = None) -> list[Scanned]:
    scan = Scan(watched)
    rows = np.ones_like(surprises) if rows is None else rows
    effects = surprises if effects is None else effects
    return [scan.step(*parts) for parts in zip(surprises, rows, effects, strict=True)]


def by_definition(surprises: Floats, watched: Watched, lengths: tuple[int, ...]) -> Floats:
    """Add up every stretch anew; what lies before the first bucket is no surprise."""
    whole = np.nan_to_num(surprises)
    found = np.zeros_like(whole)
    for end, signal in np.ndindex(*whole.shape):
        for length in lengths:
            sum_ = whole[max(end + 1 - length, 0) : end + 1, signal].sum()
            height = sum_ / math.sqrt(length * (1 + min(end + 1, length) / watched.history[signal]))
            found[end, signal] = max(found[end, signal], height if watched.rises_only[signal] else abs(height))
    return found


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 20), st.just(2)), elements=NUMBERS),
    st.tuples(st.booleans(), st.booleans()),
    st.tuples(st.floats(1, 100), st.just(1e9)),
)
@settings(max_examples=100, deadline=None)
def test_heights_are_those_of_every_stretch(
    surprises: Floats, rises_only: tuple[bool, bool], history: tuple[float, float]
) -> None:
    watched = Watched(np.array(rises_only), np.zeros(2), np.array(history))
    expected = by_definition(surprises, watched, SHORT)
    np.testing.assert_allclose(scanned_heights(surprises, watched, SHORT), expected, atol=1e-9)
    scan, ones = Scan(watched, SHORT), np.ones(2)
    np.testing.assert_allclose([scan.step(row, ones, row).height for row in surprises], expected, atol=1e-9)


@pytest.mark.parametrize("buckets", [1, 5, 63, 64, 65, 66, 400])
def test_bucket_by_bucket_is_all_at_once(buckets: int) -> None:
    """The ring of the last buckets goes round many times, with what was not measured in it."""
    generator = np.random.default_rng(buckets)
    surprises = generator.normal(size=(buckets, 3))
    surprises[generator.random(surprises.shape) < 0.1] = np.nan
    watched = Watched(np.array([False, True, False]), np.zeros(3), np.array([50.0, 50.0, 1e9]))
    found = np.array([one.height for one in stepped(watched, surprises)])
    np.testing.assert_allclose(found, scanned_heights(surprises, watched), atol=1e-9)
    np.testing.assert_allclose(found, by_definition(surprises, watched, LENGTHS), atol=1e-9)


@pytest.mark.parametrize("lasting", [1, 3, 12, 64])
def test_the_stretch_that_stands_out_is_the_change(lasting: int) -> None:
    """A change that began so many buckets ago is found with its buckets, rows and effect; each has as many rows as its number."""
    quiet = 30
    surprises = np.r_[np.zeros(quiet), np.full(lasting, 2.0)][:, None]
    rows = np.arange(1.0, quiet + lasting + 1)[:, None]
    effects = np.where(surprises > 0, rows, -1.0)
    last = stepped(watched_of(1), surprises, rows, effects)[-1]
    own = rows[quiet:, 0]
    assert (last.length[0], last.rows[0]) == (lasting, own.sum())
    assert last.height[0] == pytest.approx(2 * math.sqrt(lasting))
    assert last.effect[0] == pytest.approx((own**2).sum() / own.sum()), "rows weigh the effect"


def test_a_fall_stands_out_only_where_falls_count() -> None:
    surprises = np.full((5, 2), -1.5)
    last = stepped(Watched(np.array([False, True]), np.zeros(2), np.full(2, 1e12)), surprises)[-1]
    assert last.height.tolist() == [pytest.approx(1.5 * 5 / math.sqrt(6)), 0]
    assert last.effect[0] == -1.5


def test_a_stretch_with_too_few_rows_gives_no_verdict() -> None:
    """Ten rows a bucket: what needs 35 waits for the stretch of four."""
    surprises = np.full((6, 1), 2.0)
    found = stepped(watched_of(1, fewest=35), surprises, np.full((6, 1), 10.0))
    assert [one.height[0] for one in found[:3]] == [0, 0, 0]
    assert found[3].height[0] == pytest.approx(4.0)
    assert (found[3].length[0], found[3].rows[0]) == (4, 40)


def test_what_is_not_measured_adds_nothing() -> None:
    nan = np.nan
    surprises, rows = np.array([[3.0], [nan], [nan], [nan]]), np.array([[5.0], [0], [0], [0]])
    found = stepped(watched_of(1), surprises, rows, np.array([[0.7], [nan], [nan], [nan]]))
    assert [one.height[0] for one in found] == pytest.approx([3, 3 / math.sqrt(2), 3 / math.sqrt(3), 1.5])
    assert [one.rows[0] for one in found] == [5] * 4
    assert [one.effect[0] for one in found] == pytest.approx([0.7] * 4)
    never = stepped(watched_of(1), np.full((3, 1), nan), np.zeros((3, 1)))[-1]
    assert (never.height[0], never.effect[0]) == (0, 0)


def test_what_is_expected_of_few_buckets_makes_long_stretches_less_sure() -> None:
    """Surprises against a mean of 20 buckets, which itself is wrong by chance: sums have deviation 1 all the same."""
    generator, history = np.random.default_rng(1), 20
    expected = generator.normal(size=(20_000, history)).mean(axis=1)
    for length in (1, 8, 64):
        surprises = generator.normal(size=(length, 20_000)) - expected
        heights = scanned_heights(surprises, watched_of(20_000, history=history), (length,))[-1]
        assert np.sqrt((heights**2).mean()) == pytest.approx(1, abs=0.02)


def test_undisturbed_surprises_have_deviation_one_at_each_length() -> None:
    surprises = np.random.default_rng(2).normal(size=(2_000, 20))
    watched = watched_of(20)
    for length in LENGTHS:
        heights = scanned_heights(surprises, watched, (length,))[LENGTHS[-1] :]
        assert np.sqrt((heights**2).mean()) == pytest.approx(1, abs=0.05)


@given(st.floats(0, 9))
@settings(deadline=None)
def test_an_improbability_is_minus_the_logarithm_of_a_chance(height: float) -> None:
    both, rises = improbability(np.array([height, height]), np.array([False, True]))
    assert both == pytest.approx(-math.log10(2 * stats.norm.sf(height)), abs=1e-9)
    assert rises == pytest.approx(-math.log10(stats.norm.sf(height)), abs=1e-9)


def test_what_is_far_beyond_numbers_still_has_an_order() -> None:
    found = improbability(np.array([30.0, 100.0, 1_000.0]), np.array([True] * 3))
    assert np.isfinite(found).all()
    assert (np.diff(found) > 0).all()
    assert found[0] == pytest.approx(-stats.norm.logsf(30) / math.log(10))
