"""Requests and labels of strangers, as they are read: a row has what is declared, protected, and a refusal repeats nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import msgspec
import pytest

from streams.contracts.labels import LabelHead, Unusable, label_of
from streams.contracts.schema import Column, ModelSchema
from streams.dialects import mapped_json, native
from streams.dialects.base import Limits, Refusal
from streams.runtime.protection import Protection
from streams.serving.reading import reader
from streams.transport.records import Record
from tests.kit.poisons import MARK, POISONS, UNWRITABLE, is_marked

SCHEMA = ModelSchema(
    columns=(
        Column(name="size", kind="number"),
        Column(name="colour", kind="category"),
        Column(name="email", kind="category", role="key", tags=("pii",), protect="hash"),
        Column(name="note", kind="category", role="ignored", tags=("free_text",), protect="drop"),
    )
)
NOW = 1_700_000_000_000
ALL = POISONS | UNWRITABLE
FEATURES: dict[str, Any] = {"size": 1.5, "colour": "red", "email": "ann@example.org", "note": "calls her mother Rosa"}
PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "id": lambda text: {"id": text},
    "time_ms": lambda text: {"time_ms": text},
    "a field": lambda text: {text: text},
    "features": lambda text: {"features": text},
    "a column": lambda text: {"features": FEATURES | {text: text}},
    "only such columns": lambda text: {"features": {text: 1.0}},
    "a number": lambda text: {"features": FEATURES | {"size": text}},
    "a category": lambda text: {"features": FEATURES | {"colour": text}},
    "a category's kind": lambda text: {"features": FEATURES | {"colour": {text: [text]}}},
    "a tagged column": lambda text: {"features": FEATURES | {"email": text, "note": text}},
}


def record_of(dialect: ModuleType, place: str, text: str) -> Record:
    body = {"id": "a", "time_ms": NOW, "features": FEATURES} | PLACES[place](text)
    if dialect is mapped_json and isinstance(body["features"], dict):
        body |= body.pop("features")
    value = json.dumps(body).encode()
    wild = text.encode(errors="surrogatepass")
    return Record("r", 0, 0, wild, value, ((MARK, wild), ("content-type", wild)), NOW)


@pytest.mark.parametrize("dialect", [native, mapped_json])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ALL)
def test_a_row_is_what_is_declared_and_a_refusal_names_fields(name: str, place: str, dialect: ModuleType) -> None:
    opened = dialect.open_dialect(SCHEMA, Limits(), {})
    read = reader(opened, 10, door=opened, is_replay=False, protection=Protection(SCHEMA, b"k" * 32))
    what = read(record_of(dialect, place, ALL[name]))
    if isinstance(what, Refusal):
        assert not is_marked(what.reason + what.detail)
        return
    assert not isinstance(what, int)
    row = msgspec.structs.asdict(what.features)
    assert list(row) == [column.name for column in SCHEMA.columns]
    assert row["note"] is None
    assert row["email"] is None or len(row["email"]) == 16
    assert place in {"id", "a category"} or not is_marked(what.id + str(row))


def test_a_clean_request_is_read() -> None:
    for dialect in (native, mapped_json):
        opened = dialect.open_dialect(SCHEMA, Limits(), {})
        read = reader(opened, 10, door=opened, is_replay=False, protection=Protection(SCHEMA, b"k" * 32))
        value = dialect.example("a", NOW, FEATURES).value
        what = read(Record("r", 0, 0, b"k", value, (), NOW))
        assert not isinstance(what, int | Refusal)
        row = msgspec.structs.asdict(what.features)
        assert (row["size"], row["colour"], row["note"]) == (1.5, "red", None)
        assert "ann" not in str(row)


@pytest.mark.parametrize(
    "value", [b"{" * 200_000, b'{"features":' * 100_000, b"\xff" * 99, b"[" * 99_999 + b"]" * 99_999, b"nul", b""]
)
def test_what_is_no_json_is_refused(value: bytes) -> None:
    opened = native.open_dialect(SCHEMA, Limits(), {})
    what = reader(opened, 10, door=opened, is_replay=False)(Record("r", 0, 0, None, value, (), NOW))
    assert isinstance(what, Refusal)
    assert len(what.detail) < 200


LABELS: dict[str, Callable[[str], dict[str, Any]]] = {
    "label": lambda text: {"label": text},
    "id": lambda text: {"id": text},
    "time_ms": lambda text: {"time_ms": text},
    "a field": lambda text: {text: text},
    "label's kind": lambda text: {"label": {text: text}},
}


@pytest.mark.parametrize("place", LABELS)
@pytest.mark.parametrize("name", ALL)
def test_a_label_is_a_number_and_its_refusal_names_fields(name: str, place: str) -> None:
    value = json.dumps({"id": "a", "label": 1.0, "time_ms": NOW} | LABELS[place](ALL[name])).encode()
    for task in ("binary", "regression"):
        found = label_of(value, task)  # type: ignore[arg-type]
        if isinstance(found, Unusable):
            assert not is_marked(found.reason + found.detail)
        else:
            assert isinstance(found, LabelHead)
            assert found.label == 1.0
            assert place in {"id", "a field"}
