"""Requests, answers and events that the packages kserve, mlserver and cloudevents wrote are read as they were meant.

`golden.json` and `golden_answers.json` in `tests/fixtures/dialects` hold each record with the package that wrote it, its dialect
and what it says.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.contracts.schema import Column, ModelSchema
from streams.dialects.base import Limits, Refusal, Written
from streams.runtime.plugins import load_kind

SCHEMA = ModelSchema(columns=(Column(name="size", kind="number"), Column(name="colour", kind="category")))
FOLDER = Path(__file__).parents[2] / "fixtures/dialects"
GOLDEN: list[dict[str, Any]] = msgspec.json.decode((FOLDER / "golden.json").read_bytes())
ANSWERS: list[dict[str, Any]] = msgspec.json.decode((FOLDER / "golden_answers.json").read_bytes())


def test_three_packages_wrote_them() -> None:
    for written in (GOLDEN, ANSWERS):
        assert {one["by"].split()[0] for one in written} == {"kserve", "mlserver", "cloudevents"}


@pytest.mark.parametrize("golden", GOLDEN, ids=[f"{one['dialect']}: {one['name']}, {one['by']}" for one in GOLDEN])
def test_a_foreign_record_is_read_as_it_was_meant(golden: dict[str, Any]) -> None:
    headers = tuple((name, base64.b64decode(value)) for name, value in golden["headers"])
    dialect = load_kind("streams.dialects", golden["dialect"]).open_dialect(SCHEMA, Limits(), {})
    row = dialect.decode(Written(base64.b64decode(golden["value"]), headers))
    assert not isinstance(row, Refusal), row
    assert {"id": row.id, "time_ms": row.time_ms, "features": msgspec.structs.asdict(row.features)} == golden["expected"]


@pytest.mark.parametrize("golden", ANSWERS, ids=[f"{one['dialect']}: {one['name']}, {one['by']}" for one in ANSWERS])
def test_a_foreign_answer_is_read_as_it_was_meant(golden: dict[str, Any]) -> None:
    headers = tuple((name, base64.b64decode(value)) for name, value in golden["headers"])
    answers = load_kind("streams.dialects", golden["dialect"]).open_answers(Limits(), golden["options"])
    answer = answers.decode(Written(base64.b64decode(golden["value"]), headers))
    assert not isinstance(answer, Refusal), answer
    assert msgspec.structs.asdict(answer) == golden["expected"]
