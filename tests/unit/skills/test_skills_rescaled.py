"""A column in another unit is told from one that drifts: converted back, it is what it always was."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from skills._kit.profiles import number_profile
from skills._kit.rescaled import UNITS, Rescaled, Unit, rescaled
from streams.contracts.bundle import NumberProfile, Profile

Floats = npt.NDArray[np.float64]
ROWS, BEGINS = 6_000, 2_000
CENTS = Unit(100.0)


def amounts(seed: int, rows: int = ROWS) -> Floats:
    return np.random.default_rng(seed).lognormal(3.0, 0.8, rows)


def temperatures(seed: int, rows: int = ROWS) -> Floats:
    return np.random.default_rng(seed).normal(12.0, 8.0, rows)


def found(usual: Floats, came: Floats) -> list[Rescaled]:
    """Rows come one a second."""
    profile = Profile(
        rows=len(usual),
        numbers={"x": number_profile(usual, np.random.default_rng(0))},
        score=NumberProfile(edges=[], shares=[1.0], missing=0.0, low=0.0, high=1.0, sample=[]),
        label_mean=0.5,
        loss_mean=0.5,
        loss_std=0.0,
    )
    table = pa.table({"time_ms": np.arange(len(came), dtype=np.int64) * 1_000, "x": came})
    return rescaled(profile, table, ["x", "unknown"])


def since(came: Floats, changed: Floats, which: npt.NDArray[np.bool_] | None = None) -> Floats:
    """Change some of the rows, all of them by default, from a row on."""
    is_changed = np.arange(len(came)) >= BEGINS
    return np.where(is_changed if which is None else is_changed & which, changed, came)


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit.factor > 0 and not unit.offset], ids=str)
def test_each_unit_is_known_by_its_factor(unit: Unit) -> None:
    (one,) = found(amounts(0), unit.of(amounts(1)))
    assert (one.feature, one.factor, one.offset, one.share) == ("x", unit.factor, 0.0, 1.0)
    assert one.psi_undone < 0.02
    assert one.psi > 0.25


@pytest.mark.parametrize("unit", [Unit(1.8, 32.0), Unit(1.8, 32.0).inverse, Unit(1.0, 273.15), Unit(-1.0)], ids=str)
def test_degrees_and_signs_have_an_offset_or_none(unit: Unit) -> None:
    (one,) = found(temperatures(0), unit.of(temperatures(1)))
    assert (one.factor, one.offset) == pytest.approx((unit.factor, unit.offset))


def test_it_is_said_when_it_began_and_of_how_many_rows() -> None:
    came = amounts(1)
    (one,) = found(amounts(0), since(came, CENTS.of(came)))
    assert one.since_ms == pytest.approx(BEGINS * 1_000, abs=100_000)
    assert (one.until_ms, one.factor) == (pytest.approx(ROWS * 1_000, abs=100_000), 100.0)
    half = np.random.default_rng(2).random(ROWS) < 0.5
    (one,) = found(amounts(0), since(came, CENTS.of(came), half))
    assert one.share == pytest.approx(0.5, abs=0.05)
    assert (one.factor, one.psi_undone < 0.1) == (100.0, True)


@pytest.mark.parametrize("factor", [1.0, 1.3, 2.0, 3.0, 5.0, 0.5, 0.2, 50.0])
def test_what_drifts_is_in_no_other_unit(factor: float) -> None:
    assert found(amounts(0), factor * amounts(1)) == []


def test_another_shape_or_too_few_rows_are_in_no_other_unit() -> None:
    usual, generator = amounts(0), np.random.default_rng(3)
    assert found(usual, generator.uniform(0, 100 * usual.max(), ROWS)) == []
    assert found(usual, np.full(ROWS, 100 * np.median(usual))) == []
    assert found(usual, CENTS.of(amounts(1, 60))) == []
    assert found(usual, np.full(ROWS, np.nan)) == []
