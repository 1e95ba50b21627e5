"""What a diagnosis measures of the rows that were served."""

from __future__ import annotations

import pyarrow as pa
import pytest

from skills._kit.evidence import window_shifts
from streams.contracts.bundle import NumberProfile, Profile

NAN = float("nan")


def number(missing: float) -> NumberProfile:
    return NumberProfile(edges=[2.0], shares=[0.5, 0.5], missing=missing, low=0.0, high=4.0, sample=[0.0, 2.0, 4.0])


PROFILE = Profile(
    rows=100, numbers={"w_a": number(0.1), "w_b": number(0.5), "size": number(0.0)}, score=number(0.0), label_mean=0.0,
    loss_mean=0.0, loss_std=1.0,
)  # fmt: skip


def served(*windows: dict[str, float | None] | None, flags: tuple[str, ...] = ()) -> pa.Table:
    maps = pa.array([None if one is None else list(one.items()) for one in windows], pa.map_(pa.string(), pa.float64()))
    return pa.table({"windows": maps, "flags": pa.array([list(flags)] * len(windows), pa.list_(pa.string()))})


def test_windows_are_compared_with_the_reference_like_columns() -> None:
    rows = served({"w_a": 1.0, "w_b": None}, {"w_a": None, "w_b": NAN}, {"w_a": NAN, "w_b": 60.0}, {"w_a": 0.0, "w_b": 3.0})
    first, second = window_shifts(PROFILE, rows)
    assert (first.feature, second.feature) == ("w_a", "w_b")
    assert (first.missing, second.missing) == (pytest.approx(0.5 - 0.1), pytest.approx(0.0))
    assert (first.strange, second.strange) == (0.0, 0.5), "of those that aren't missing"


def test_what_another_bundle_served_and_suspect_rows_say_nothing() -> None:
    (found,) = window_shifts(PROFILE, served({"w_other": None}, None, {"w_a": 1.0}))
    assert (found.feature, found.missing) == ("w_a", pytest.approx(-0.1))
    assert window_shifts(PROFILE, served({"w_a": None}, flags=("range",))) == []
    assert window_shifts(PROFILE, served()) == []
