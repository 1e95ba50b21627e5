"""Slices that nobody declared: which are cut, and that what is told of them is what their rows are."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from skills._kit.cutting import LEAST_ROWS, MOST_COLUMNS, MOST_SLICES, cut_slices
from skills._kit.profiles import CUT_SLICES, profile_of, sliced
from skills._kit.usual import Later, Rows, Watch
from streams.contracts.bundle import NumberProfile, Profile
from streams.contracts.schema import Column, ModelSchema
from streams.contracts.slices import Condition, Slice
from streams.statistics.slices import Slicer, rows_of

ROWS = 4_000
SCHEMA = ModelSchema(
    columns=(
        Column(name="size", kind="number"),
        Column(name="colour", kind="category"),
        Column(name="night", kind="number"),
        Column(name="constant", kind="number"),
        Column(name="owner", kind="category", tags=("pii",)),
    )
)


def table_of(rows: int = ROWS) -> pa.Table:
    generator = np.random.default_rng(0)
    size = generator.normal(size=rows)
    size[::10] = np.nan
    return pa.table(
        {
            "size": pa.array(size, from_pandas=True),
            "colour": generator.choice(["red", "blue", "<b>rare</b>", ""], rows, p=[0.6, 0.3, 0.07, 0.03]),
            "night": generator.choice([0.0, 1.0], rows, p=[0.7, 0.3]),
            "constant": np.ones(rows),
            "owner": generator.choice(["a", "b"], rows),
        }
    )


def profile(importance: dict[str, float] | None = None) -> Profile:
    score = NumberProfile(edges=[], shares=[1.0], missing=0.0, low=0.0, high=1.0, sample=[])
    return Profile(rows=1, score=score, label_mean=0.5, loss_mean=0.5, loss_std=0.5, importance=importance or {})


def names(slices: Sequence[Slice]) -> list[str]:
    return [one.name for one in slices]


def test_parts_of_one_column_and_of_two_with_enough_rows() -> None:
    table = table_of()
    found = cut_slices(SCHEMA, profile(), table)
    single = [one.name for one in found if len(one.conditions) == 1]
    assert len(single) == 4 + 3 + 2, "quarters, three colours, day and night"
    assert "colour=red" in single
    assert "night=..1" in single
    assert not any("owner" in name or "constant" in name for name in names(found))
    assert not any("<b>" in name for name in names(found)), "what a stranger wrote isn't shown as it is"
    assert len(set(names(found))) == len(found)
    inside = Slicer(found).rows(lambda name: table.column(name).to_pylist())
    assert inside.sum(axis=1).min() >= LEAST_ROWS
    assert any(name == "colour=red and night=1.." for name in names(found))
    quarters = inside[:4].sum(axis=1)
    assert quarters.sum() == ROWS - ROWS // 10, "a missing value is in no part"
    assert quarters.max() - quarters.min() <= 2


def test_the_columns_that_matter_most_come_first() -> None:
    found = cut_slices(SCHEMA, profile({"night": 0.7, "colour": 0.2, "size": 0.1}), table_of())
    assert found[0].name.startswith("night=")
    assert next(one.name for one in found if len(one.conditions) == 2).startswith("night=")


def test_there_are_never_too_many_and_of_few_rows_none() -> None:
    generator = np.random.default_rng(1)
    many = ModelSchema(columns=tuple(Column(name=f"c{number}", kind="number") for number in range(10)))
    table = pa.table({f"c{number}": generator.normal(size=20_000) for number in range(10)})
    found = cut_slices(many, profile(), table)
    assert len(found) == MOST_SLICES
    assert len({one.conditions[0].column for one in found if len(one.conditions) == 1}) == MOST_COLUMNS
    assert cut_slices(SCHEMA, profile(), table_of(LEAST_ROWS - 1)) == ()


def test_they_are_cut_where_they_are_watched() -> None:
    table, times = table_of(), np.arange(ROWS)
    generator = np.random.default_rng(2)
    labels, scores = (generator.random(ROWS) < 0.3).astype(float), generator.random(ROWS)
    table = table.append_column("label", pa.array(labels)).append_column("time_ms", pa.array(times))
    rows = Rows(table, Later(times[1_000:], times[1_000:], labels[1_000:], scores[1_000:]))
    before = profile_of(SCHEMA, table, (), rows.later, generator)
    declared = Slice(name="nightly", conditions=(Condition(column="night", low=1.0),))
    watch = Watch(
        bucket_ms=1, detectors=("loss_slices",), confirm_after=2, clear_after=3, alarm_rate=0.1, min_rows=1, slices=(declared,)
    )
    assert names([one.slice for one in sliced(before, SCHEMA, watch, rows).slices]) == ["nightly"]
    both = msgspec.structs.replace(watch, detectors=("loss_slices", CUT_SLICES))
    found = sliced(before, SCHEMA, both, rows).slices
    assert [one.is_declared for one in found[:2]] == [True, False]
    later = table.slice(1_000)
    one = found[5]
    inside = rows_of(one.slice, lambda name: later.column(name).to_pylist())
    loss = -np.log(np.where(labels[1_000:] == 1, scores[1_000:], 1 - scores[1_000:]))
    assert (one.rows, one.loss_mean) == (inside.sum(), pytest.approx(loss[inside].mean()))
