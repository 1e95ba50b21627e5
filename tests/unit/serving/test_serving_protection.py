"""Protected rows in serving: by the topic or by a door, once, and what isn't a row stays what it is."""

from __future__ import annotations

import msgspec
import pytest

from streams.contracts.schema import Column, ModelSchema
from streams.dialects import mapped_json, native
from streams.dialects.base import Limits, Refusal, Row
from streams.runtime.protection import Protection
from streams.runtime.watermark import SOURCE, watermark_record
from streams.serving.door import HEADER
from streams.serving.reading import reader
from streams.transport.records import Record

SCHEMA = ModelSchema(
    columns=(
        Column(name="size", kind="number"),
        Column(name="card", kind="category", role="key", protect="hash"),
        Column(name="note", kind="category", role="ignored", protect="drop"),
    )
)
PROTECTION = Protection(SCHEMA, b"k" * 32)
COLUMNS: dict[str, float | str | None] = {"size": 1.5, "card": "4111", "note": "raw"}
NOW = 1_700_000_000_000
(HASHED,) = PROTECTION.texts(["4111"])


def record(value: bytes | None, headers: tuple[tuple[str, bytes], ...] = (), key: bytes | None = b"k") -> Record:
    return Record("r", 0, 0, key, value, headers, NOW)


@pytest.mark.parametrize("is_replay", [True, False])
@pytest.mark.parametrize("headers", [(), ((HEADER, b"ticket"),)])
def test_rows_are_protected_whatever_brought_them(*, is_replay: bool, headers: tuple):
    door, dialect = native.open_dialect(SCHEMA, Limits(), {}), mapped_json.open_dialect(SCHEMA, Limits(), {})
    read = reader(dialect, 10, door=door, is_replay=is_replay, protection=PROTECTION)
    writer = native if headers else mapped_json
    row: Row | Refusal | int = read(record(writer.example("a", NOW, COLUMNS).value, headers))
    assert not isinstance(row, int | Refusal)
    assert msgspec.structs.asdict(row.features) == {"size": 1.5, "card": HASHED, "note": None}
    assert isinstance(read(record(b"junk")), Refusal)


def test_a_watermark_stays_one():
    dialect = native.open_dialect(SCHEMA, Limits(), {})
    read = reader(dialect, 10, door=dialect, is_replay=True, protection=PROTECTION)
    key, value, headers = watermark_record(SOURCE, 7)
    assert read(record(value, tuple(headers), key)) == 7
