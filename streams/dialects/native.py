"""Our own dialect: `{"id": "...", "time_ms": 1700000000000, "features": {"column": 1.5, "other": "red", "third": null}}`.

Every declared column must be there; null means missing. Fields that aren't declared are dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from streams.contracts.schema import Column, ModelSchema
from streams.dialects.base import FLOAT32_MAX, Dialect, Limits, Refusal, Row, row_type

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Native:
    """Decodes rows of one schema in one typed pass; what fails is looked at again to say why."""

    def __init__(self, schema: ModelSchema, limits: Limits) -> None:
        self._schema = schema
        self._limits = limits
        self._row = msgspec.json.Decoder(row_type(schema, limits)).decode
        self._plain = msgspec.json.Decoder().decode

    def decode(self, value: bytes | None) -> Row | Refusal:
        """Decode one record's value; never raises."""
        if value is None:
            return Refusal("not_json", "the record has no value")
        if len(value) > self._limits.record_bytes:
            return Refusal("too_large", f"{len(value)} bytes, at most {self._limits.record_bytes} are allowed")
        try:
            row: Row = self._row(value)
        except _UNREADABLE as error:
            return self._why(value, str(error))
        return row

    def _why(self, value: bytes, told: str) -> Refusal:
        """Find the reason for a record that the typed decoder refused; `told` is what it said."""
        try:
            plain = self._plain(value)
        except _UNREADABLE as error:
            return Refusal("not_finite" if "out of range" in str(error) else "not_json", str(error))
        if not isinstance(plain, dict):
            return Refusal("wrong_type", f"expected an object, got {_kind(plain)}")
        absent = [name for name in ("id", "time_ms", "features") if name not in plain]
        if absent:
            return Refusal("missing_field", f"no {', '.join(absent)}")
        return (
            self._why_id(plain["id"])
            or self._why_time(plain["time_ms"])
            or self._why_features(plain["features"])
            or Refusal("wrong_type", told)
        )

    def _why_id(self, value: Any) -> Refusal | None:
        if not isinstance(value, str):
            return Refusal("wrong_type", f"id: expected a string, got {_kind(value)}")
        if not 0 < len(value) <= self._limits.id_length:
            return Refusal("bad_id", f"id: {len(value)} characters, expected 1 to {self._limits.id_length}")
        return None

    def _why_time(self, value: Any) -> Refusal | None:
        if not isinstance(value, int | float) or isinstance(value, bool) or value != value // 1:
            return Refusal("wrong_type", f"time_ms: expected an integer, got {_kind(value)}")
        if not self._limits.earliest_ms <= value <= self._limits.latest_ms:
            return Refusal("absurd_time", f"time_ms: outside of {self._limits.earliest_ms} to {self._limits.latest_ms}")
        return None

    def _why_features(self, values: Any) -> Refusal | None:
        if not isinstance(values, dict):
            return Refusal("wrong_type", f"features: expected an object, got {_kind(values)}")
        absent = [column.name for column in self._schema.columns if column.name not in values]
        if absent:
            return Refusal("missing_column", f"features: no {', '.join(absent)}")
        refusals = (self._why_column(column, values[column.name]) for column in self._schema.columns)
        return next((refusal for refusal in refusals if refusal is not None), None)

    def _why_column(self, column: Column, value: Any) -> Refusal | None:
        if value is None:
            return None
        return _why_number(column.name, value) if column.kind == "number" else self._why_category(column.name, value)

    def _why_category(self, name: str, value: Any) -> Refusal | None:
        if not isinstance(value, str):
            return Refusal("wrong_type", f"features.{name}: expected a string, got {_kind(value)}")
        if len(value) > self._limits.text_length:
            return Refusal(
                "too_large", f"features.{name}: {len(value)} characters, at most {self._limits.text_length} are allowed"
            )
        return None


def open_dialect(schema: ModelSchema, limits: Limits) -> Dialect:
    """Open the dialect for one model."""
    return Native(schema, limits)


def example(request_id: str, time_ms: int, columns: Mapping[str, float | str | None]) -> bytes:
    """Write a request in this dialect, as a caller would."""
    return msgspec.json.encode({"id": request_id, "time_ms": time_ms, "features": dict(columns)})


def _why_number(name: str, value: Any) -> Refusal | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return Refusal("wrong_type", f"features.{name}: expected a number, got {_kind(value)}")
    if not abs(value) <= FLOAT32_MAX:
        return Refusal("not_finite", f"features.{name}: doesn't fit float32")
    return None


def _kind(value: Any) -> str:
    """Name a JSON value's type the way JSON does."""
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array", dict: "an object"}
    return names.get(type(value), "null")
