"""Normal deviates as improbable as skewed ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from streams.statistics.skew import unskewed


@pytest.mark.parametrize("shape", [1.0, 2.0, 8.0, 100.0])
@pytest.mark.parametrize("chance", [0.05, 0.01, 1e-3, 1e-5])
def test_a_gamma_variable_is_as_improbable_as_it_is(shape: float, chance: float) -> None:
    deviate = (stats.gamma.isf(chance, shape) - shape) / np.sqrt(shape)
    (found,) = unskewed(np.array([deviate]), np.array([2 / np.sqrt(shape)]))
    assert np.log10(stats.norm.sf(found)) == pytest.approx(np.log10(chance), rel=0.07)


@given(st.floats(-8, 8), st.floats(-1e3, 1e3))
@settings(deadline=None)
def test_it_is_mirrored_and_finite(deviate: float, skewness: float) -> None:
    (found,) = unskewed(np.array([deviate]), np.array([skewness]))
    (mirrored,) = unskewed(np.array([-deviate]), np.array([-skewness]))
    assert np.isfinite(found)
    assert found == pytest.approx(-mirrored)


@given(st.lists(st.floats(-8, 8), min_size=2, max_size=20), st.floats(-2, 2))
@settings(deadline=None)
def test_what_is_farther_out_stays_farther_out(deviates: list[float], skewness: float) -> None:
    ordered = np.sort(np.array(deviates))
    assert (np.diff(unskewed(ordered, np.full(len(ordered), skewness))) >= -1e-9).all()


def test_without_skewness_nothing_changes() -> None:
    deviates = np.linspace(-6, 6, 25)
    assert np.array_equal(unskewed(deviates, np.zeros(25)), deviates)
    np.testing.assert_allclose(unskewed(deviates, np.full(25, 1e-5)), deviates, atol=1e-3)
