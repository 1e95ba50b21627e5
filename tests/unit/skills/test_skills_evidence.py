"""What a diagnosis measures of the rows that were served."""

from __future__ import annotations

import pyarrow as pa
import pytest

from skills._kit.evidence import windows_missing
from streams.contracts.bundle import NumberProfile, Profile

NAN = float("nan")


def number(missing: float) -> NumberProfile:
    return NumberProfile(edges=[], shares=[1.0], missing=missing, low=0.0, high=1.0, sample=[])


PROFILE = Profile(
    rows=100, numbers={"w_a": number(0.1), "w_b": number(0.5), "size": number(0.0)}, score=number(0.0), label_mean=0.0,
    loss_mean=0.0, loss_std=1.0,
)  # fmt: skip


def served(*windows: dict[str, float | None] | None, flags: tuple[str, ...] = ()) -> pa.Table:
    maps = pa.array([None if one is None else list(one.items()) for one in windows], pa.map_(pa.string(), pa.float64()))
    return pa.table({"windows": maps, "flags": pa.array([list(flags)] * len(windows), pa.list_(pa.string()))})


def test_the_window_counts_that_is_missing_more_than_usual() -> None:
    rows = served({"w_a": 1.0, "w_b": None}, {"w_a": None, "w_b": NAN}, {"w_a": NAN, "w_b": 2.0}, {"w_a": 0.0, "w_b": 3.0})
    assert windows_missing(PROFILE, rows) == pytest.approx(0.5 - 0.1)
    assert windows_missing(PROFILE, rows.slice(1, 1)) == pytest.approx(1.0 - 0.1)
    assert windows_missing(PROFILE, pa.concat_tables([rows.slice(3), rows.slice(0, 1)])) == pytest.approx(0.0)


def test_what_another_bundle_served_and_suspect_rows_say_nothing() -> None:
    assert windows_missing(PROFILE, served({"w_other": None}, None, {"w_a": 1.0})) == pytest.approx(-0.1)
    assert windows_missing(PROFILE, served({"w_a": None}, flags=("range",))) == 0.0
    assert windows_missing(PROFILE, served()) == 0.0
