"""How levels wander: what is learnt of it, and surprises that are independent whatever the autocorrelation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, stats

from streams.statistics.wander import Noise, Surprise, learn_noise

Floats = npt.NDArray[np.float64]


def noise_of(wandering: float, persistence: float, unrest: float, signals: int = 1) -> Noise:
    return Noise(*(np.full(signals, value) for value in (wandering, persistence, unrest)))


def made(noise: Noise, chance: Floats, seed: int) -> Floats:
    """Draw a stream of that noise [T, m]."""
    generator = np.random.default_rng(seed)
    wandering = np.empty_like(chance)
    level = generator.normal(size=chance.shape[1]) * np.sqrt(noise.wandering)
    fresh = np.sqrt(noise.wandering * (1 - noise.persistence**2))
    for row in wandering:
        row[:] = level
        level = noise.persistence * level + fresh * generator.normal(size=len(level))
    return wandering + generator.normal(size=chance.shape) * np.sqrt(noise.unrest + chance)


def whitened(noise: Noise, values: Floats, chance: Floats, at: Floats) -> Floats:
    """One signal's values [n] made independent by the root of their covariance, measured at some buckets [n]."""
    apart = np.abs(at[:, None] - at)
    whole = noise.wandering[0] * noise.persistence[0] ** apart + np.diag(noise.unrest[0] + chance)
    return linalg.solve_triangular(linalg.cholesky(whole, lower=True), values, lower=True)


@given(
    st.tuples(st.floats(0, 5), st.floats(0, 0.99), st.floats(0, 2)),
    st.lists(st.tuples(st.integers(1, 6), st.floats(-5, 5), st.floats(0.01, 3)), min_size=1, max_size=25),
)
@settings(max_examples=100, deadline=None)
def test_surprises_are_those_of_the_whole_covariance(
    parts: tuple[float, float, float], rows: list[tuple[int, float, float]]
) -> None:
    """Bucket by bucket, with gaps, against the root of the covariance of all buckets at once."""
    noise, (steps, values, chance) = noise_of(*parts), (np.array(column, np.float64) for column in zip(*rows, strict=True))
    filtered = Surprise(noise)
    found = [filtered.step(values[[row]], chance[[row]], int(steps[row]))[0] for row in range(len(rows))]
    np.testing.assert_allclose(found, whitened(noise, values, chance, np.cumsum(steps)), rtol=1e-6, atol=1e-8)


def test_what_was_not_measured_is_no_surprise_and_passes_like_a_gap() -> None:
    noise = noise_of(1.0, 0.9, 0.3, 2)
    chance = np.array([0.1, 0.2])
    missing, gap = Surprise(noise), Surprise(noise)
    first = np.array([2.0, -1.0])
    assert np.array_equal(missing.step(first, chance), gap.step(first, chance))
    found = missing.step(np.array([np.nan, 0.5]), chance)
    assert np.isnan(found[0])
    assert np.isfinite(found[1])
    missing.step(np.array([np.nan, 0.5]), np.array([1e9, 0.2]))
    last = np.array([1.0, 1.0])
    assert missing.step(last, chance)[0] == pytest.approx(gap.step(last, chance, 3)[0])


def test_after_a_long_gap_nothing_is_remembered() -> None:
    noise = noise_of(1.0, 0.9, 0.3)
    filtered = Surprise(noise)
    for _ in range(20):
        filtered.step(np.array([3.0]), np.array([0.1]))
    (near,) = Surprise(noise).step(np.array([3.0]), np.array([0.1]))
    assert filtered.step(np.array([3.0]), np.array([0.1]))[0] < near / 3, "what lasts is expected"
    assert filtered.step(np.array([3.0]), np.array([0.1]), 1_000)[0] == pytest.approx(near)


@pytest.mark.parametrize("rows", [5, 20, 100])
@pytest.mark.parametrize("deviation", [0.5, 1.0])
def test_skewed_rows_surprise_no_more_often_than_normal_ones(rows: int, deviation: float) -> None:
    """Lognormal rows, of skewness 1.75 and 6.2: by themselves their means are far out many times too often."""
    raw = np.random.default_rng(12).lognormal(0, deviation, (100_000, rows)).mean(axis=1)
    square = np.exp(deviation**2)
    level = (raw - np.sqrt(square)) / (np.sqrt(square * (square - 1)))
    noise, chance = noise_of(0.0, 0.0, 0.0, len(level)), np.full(len(level), 1 / rows)
    far = stats.norm.isf(0.001)
    plain, found = (Surprise(noise, skewness).step(level, chance) for skewness in (0.0, (square + 2) * np.sqrt(square - 1)))
    assert 0.0003 < np.mean(found > far) < 0.002
    assert np.mean(plain > far) > 1.4 * np.mean(found > far)


def test_what_wanders_is_not_skewed() -> None:
    """Only the chance of rows is: where it is a small part of what varies, little is taken out."""
    level, chance, skewness = np.array([3.0]), np.array([0.01]), 6.0
    alone = Surprise(noise_of(0.0, 0.0, 0.0), skewness).step(level * 0.1, chance)[0]
    beside = Surprise(noise_of(0.0, 0.0, 0.99), skewness).step(level, chance)[0]
    assert alone < 2.7
    assert beside == pytest.approx(3.0, abs=0.01)


def surprises(noise: Noise, values: Floats, chance: Floats) -> Floats:
    """Those of a whole history [T, m]."""
    filtered = Surprise(noise)
    return np.array([filtered.step(row, variance) for row, variance in zip(values, chance, strict=True)])


def autocorrelations(found: Floats) -> list[float]:
    """Of all signals together, at lags 1 to 6 and 24."""
    return [float((found[lag:] * found[:-lag]).mean() / (found**2).mean()) for lag in (1, 2, 3, 4, 5, 6, 24)]


@pytest.mark.parametrize(
    ("wandering", "persistence", "unrest", "rows"),
    [(1.0, 0.9, 0.0, 100), (1.0, 0.6, 0.5, 100), (0.02, 0.95, 0.0, 50), (0.0, 0.0, 0.5, 20), (0.0, 0.0, 0.0, 400)],
)
def test_surprises_of_what_was_learnt_are_white_with_deviation_one(
    wandering: float, persistence: float, unrest: float, rows: int
) -> None:
    """Learnt on one half of a stream, surprised by the other; the stream itself is far from white."""
    noise, length = noise_of(wandering, persistence, unrest, 8), 4_000
    chance = 1 / np.random.default_rng(5).uniform(rows / 2, rows * 2, (2 * length, 8))
    values = made(noise, chance, 6)
    found = surprises(learn_noise(values[:length], chance[:length]), values[length:], chance[length:])
    assert np.abs(autocorrelations(found)).max() < 0.03
    assert found.std() == pytest.approx(1, abs=0.03)
    assert stats.kurtosis(found.ravel()) == pytest.approx(0, abs=0.2)
    if wandering:
        assert autocorrelations(values[length:])[0] > 0.25


def test_the_parts_of_the_noise_are_told_apart() -> None:
    noise, chance = noise_of(1.0, 0.85, 0.4, 10), np.full((20_000, 10), 0.2)
    learnt = learn_noise(made(noise, chance, 7), chance)
    np.testing.assert_allclose(learnt.wandering, 1.0, rtol=0.2)
    np.testing.assert_allclose(learnt.persistence, 0.85, atol=0.03)
    np.testing.assert_allclose(learnt.unrest, 0.4, atol=0.15)


def test_independent_levels_do_not_wander() -> None:
    """Two standard errors, so hardly ever; and what rows make by chance is no unrest."""
    chance = np.full((300, 400), 0.01)
    learnt = learn_noise(made(noise_of(0.0, 0.0, 0.0, 400), chance, 8), chance)
    assert np.mean(learnt.wandering > 0) < 0.05
    assert np.mean(learnt.wandering + learnt.unrest) < 0.001


def test_missing_buckets_change_little_of_what_is_learnt() -> None:
    noise, chance = noise_of(1.0, 0.9, 0.2, 10), np.full((8_000, 10), 0.1)
    values = made(noise, chance, 9)
    gone = np.random.default_rng(10).random(values.shape) < 0.3
    values[gone], chance[gone] = np.nan, 1e9
    learnt = learn_noise(values, chance)
    np.testing.assert_allclose(learnt.persistence, 0.9, atol=0.05)
    np.testing.assert_allclose(learnt.wandering + learnt.unrest, 1.2, rtol=0.25)
    nothing = learn_noise(np.full((20, 1), np.nan), np.full((20, 1), 1e9))
    assert [float(part[0]) for part in nothing] == [0, 0, 0]


def test_alternating_levels_do_not_wander() -> None:
    """A negative autocorrelation is unrest: what wanders would pull the next expectation the wrong way."""
    values = np.where(np.arange(100) % 2, 1.0, -1.0)[:, None]
    learnt = learn_noise(values, np.full((100, 1), 0.25))
    assert [float(part[0]) for part in learnt] == [0, 0, pytest.approx(0.75)]
