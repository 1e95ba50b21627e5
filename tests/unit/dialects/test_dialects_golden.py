"""Requests and events that the packages kserve, mlserver and cloudevents wrote are read as they were meant.

`tests/fixtures/dialects/golden.json` holds each record with the package that wrote it, its dialect and what it says.
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
GOLDEN: list[dict[str, Any]] = msgspec.json.decode((Path(__file__).parents[2] / "fixtures/dialects/golden.json").read_bytes())


def test_three_packages_wrote_them() -> None:
    assert {one["by"].split()[0] for one in GOLDEN} == {"kserve", "mlserver", "cloudevents"}


@pytest.mark.parametrize("golden", GOLDEN, ids=[f"{one['dialect']}: {one['name']}, {one['by']}" for one in GOLDEN])
def test_a_foreign_record_is_read_as_it_was_meant(golden: dict[str, Any]) -> None:
    headers = tuple((name, base64.b64decode(value)) for name, value in golden["headers"])
    dialect = load_kind("streams.dialects", golden["dialect"]).open_dialect(SCHEMA, Limits(), {})
    row = dialect.decode(Written(base64.b64decode(golden["value"]), headers))
    assert not isinstance(row, Refusal), row
    assert {"id": row.id, "time_ms": row.time_ms, "features": msgspec.structs.asdict(row.features)} == golden["expected"]
