"""Plain values to a row, or to the reason why they aren't one. What is told names fields and types, never values."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.contracts.schema import Column, ModelSchema
from streams.dialects.base import FLOAT32_MAX, Limits, Refusal, Row, row_type

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_plain = msgspec.json.Decoder().decode


class Rows:
    """Rows of one schema.

    Attributes:
        type: the struct that they are.
    """

    def __init__(self, schema: ModelSchema, limits: Limits) -> None:
        self._schema = schema
        self._limits = limits
        self.type = row_type(schema, limits)

    def of(self, identity: Any, time_ms: Any, features: Any) -> Row | Refusal:
        """Make a row of plain values: texts, numbers, and a mapping from column to text, number or None."""
        plain = {"id": identity, "time_ms": time_ms, "features": features}
        try:
            row: Row = msgspec.convert(plain, self.type)
        except (msgspec.ValidationError, OverflowError) as error:
            return self.why(plain, str(error))
        return row

    def readable(self, value: bytes | None) -> bytes | Refusal:
        """Return the value, unless it is absent or too large to look into."""
        return readable(value, self._limits)

    def why(self, plain: Any, told: str) -> Refusal:
        """Find the reason for what isn't a row; `told` is what the typed decoder said."""
        if not isinstance(plain, dict):
            return Refusal("wrong_type", f"expected an object, got {kind_of(plain)}")
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
            return Refusal("wrong_type", f"id: expected a string, got {kind_of(value)}")
        if not 0 < len(value) <= self._limits.id_length:
            return Refusal("bad_id", f"id: {len(value)} characters, expected 1 to {self._limits.id_length}")
        return None

    def _why_time(self, value: Any) -> Refusal | None:
        if not isinstance(value, int | float) or isinstance(value, bool) or value != value // 1:
            return Refusal("wrong_type", f"time_ms: expected an integer, got {kind_of(value)}")
        if not self._limits.earliest_ms <= value <= self._limits.latest_ms:
            return Refusal("absurd_time", f"time_ms: outside of {self._limits.earliest_ms} to {self._limits.latest_ms}")
        return None

    def _why_features(self, values: Any) -> Refusal | None:
        if not isinstance(values, dict):
            return Refusal("wrong_type", f"features: expected an object, got {kind_of(values)}")
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
            return Refusal("wrong_type", f"features.{name}: expected a string, got {kind_of(value)}")
        if len(value) > self._limits.text_length:
            return Refusal(
                "too_large", f"features.{name}: {len(value)} characters, at most {self._limits.text_length} are allowed"
            )
        return None


def readable(value: bytes | None, limits: Limits) -> bytes | Refusal:
    """Return a record's value, unless it is absent or too large to look into."""
    if value is None:
        return Refusal("not_json", "the record has no value")
    if len(value) > limits.record_bytes:
        return Refusal("too_large", f"{len(value)} bytes, at most {limits.record_bytes} are allowed")
    return value


def parsed(payload: bytes) -> dict[str, Any] | Refusal:
    """Return the JSON object that some bytes are."""
    try:
        plain = _plain(payload)
    except UNREADABLE as error:
        return unreadable(error)
    return plain if isinstance(plain, dict) else Refusal("wrong_type", f"expected an object, got {kind_of(plain)}")


def object_in(value: bytes | None, limits: Limits) -> dict[str, Any] | Refusal:
    """Return the JSON object that a record's value is."""
    found = readable(value, limits)
    return found if isinstance(found, Refusal) else parsed(found)


def unreadable(error: Exception) -> Refusal:
    """Say why bytes aren't JSON."""
    return Refusal("not_finite" if "out of range" in str(error) else "not_json", str(error))


def _why_number(name: str, value: Any) -> Refusal | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return Refusal("wrong_type", f"features.{name}: expected a number, got {kind_of(value)}")
    if not abs(value) <= FLOAT32_MAX:
        return Refusal("not_finite", f"features.{name}: doesn't fit float32")
    return None


def kind_of(value: Any) -> str:
    """Name a JSON value's type the way JSON does."""
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array", dict: "an object"}
    return names.get(type(value), "null")
