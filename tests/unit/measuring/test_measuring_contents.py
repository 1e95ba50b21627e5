"""Which rows are alike is counted where somebody asks, of all declared columns and of fit rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from streams.contracts.bundle import NumberProfile, Profile
from streams.contracts.records import Prediction
from streams.contracts.schema import Column, ModelSchema
from streams.measuring.inputs import InputAccumulator
from streams.monitoring.config import DUPLICATES
from streams.runtime.plugins import kinds_of
from streams.transport.records import Record
from streams.transport.typed import TypedDecoder

SCHEMA = ModelSchema(
    columns=(
        Column(name="size", kind="number"),
        Column(name="colour", kind="category"),
        Column(name="who", kind="category", role="ignored"),
        Column(name="code", kind="number", role="ignored"),
    )
)
SCORE = NumberProfile(edges=[], shares=[1.0], missing=0.0, low=0.0, high=1.0, sample=[])
PROFILE = Profile(rows=1, score=SCORE, label_mean=0.0, loss_mean=0.0, loss_std=0.0)


def rows_of(*columns: dict[str, float | str | None], flags: Sequence[str] = ()) -> list[Any]:
    made = [
        Prediction(
            id=str(offset), partition=0, offset=offset, time_ms=offset, columns=one, score=offset / 9, digest="d", generation=1,
            flags=list(flags),
        )
        for offset, one in enumerate(columns)
    ]  # fmt: skip
    return TypedDecoder(SCHEMA).decode([Record("t", 0, 0, None, msgspec.json.encode(one), (), 0) for one in made]).rows


def counted(*parts: list[Any], counts_contents: bool = True) -> list[int]:
    accumulator = InputAccumulator(SCHEMA, PROFILE, 0, counts_contents=counts_contents)
    for part in parts:
        accumulator.add(part, [0] * len(part))
    contents = accumulator.summary("m", "d", 0, (0, 1), 0).contents
    assert contents == sorted(contents)
    return sorted(rows for _, rows in contents)


PLAIN: dict[str, float | str | None] = {"size": 2.0, "colour": "red", "who": "ann", "code": 7.0}


def test_rows_are_alike_when_all_declared_columns_are() -> None:
    others = [PLAIN | {"size": None}, PLAIN | {"colour": None}, PLAIN | {"who": "bob"}, PLAIN | {"code": 8.0}]
    assert counted(rows_of(PLAIN, *others)) == [1] * 5
    assert counted(rows_of(PLAIN, *others), rows_of(PLAIN, PLAIN | {"size": None})) == [1, 1, 1, 2, 2]


def test_suspect_rows_are_in_nothing_and_nobody_pays_who_does_not_ask() -> None:
    assert counted(rows_of(PLAIN), rows_of(PLAIN, PLAIN, flags=["far_outside"])) == [1]
    assert counted(rows_of(PLAIN, PLAIN), counts_contents=False) == []


def test_the_detector_that_asks_is_one_of_the_family() -> None:
    assert DUPLICATES in kinds_of("streams.detectors")
