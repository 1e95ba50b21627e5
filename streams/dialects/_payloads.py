"""What inference servers are asked, whatever brought it: the Open Inference Protocol, KServe's first protocol, Seldon's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from streams.contracts.schema import ModelSchema
from streams.dialects._rows import kind_of, parsed
from streams.dialects._seldon import rows_of_data
from streams.dialects._tensors import Tensor, features_of
from streams.dialects.base import Refusal


class Asked(msgspec.Struct):
    """What is asked: columns by name; the id and the parameters of the request where it has them."""

    features: dict[str, Any]
    id: Any = None
    parameters: dict[str, Any] = {}


class Inference(msgspec.Struct):
    """A request of the Open Inference Protocol."""

    inputs: list[Tensor]
    id: str | None = None
    parameters: dict[str, Any] = {}


def asked_of(payload: bytes, schema: ModelSchema, raw: bytes = b"") -> Asked | Refusal:
    """Read a payload by what it holds: `inputs`, `instances`, `data` or `jsonData`.

    Args:
        payload: JSON.
        schema: of the model.
        raw: tensors behind the JSON.
    """
    plain = parsed(payload)
    if isinstance(plain, Refusal):
        return plain
    if "inputs" in plain:
        return _inference(plain, schema, raw)
    if "instances" in plain:
        return _asked(_one_row(plain["instances"], None, schema), plain.get("id"))
    if "data" in plain or "jsonData" in plain:
        return _seldon(plain, schema)
    return Refusal("missing_field", "no inputs, instances or data")


def _inference(plain: dict[str, Any], schema: ModelSchema, raw: bytes) -> Asked | Refusal:
    asked = inference_of(plain)
    if isinstance(asked, Refusal):
        return asked
    found = features_of(asked.inputs, raw, schema)
    return found if isinstance(found, Refusal) else Asked(found, asked.id, asked.parameters)


def inference_of(plain: Any) -> Inference | Refusal:
    """Return what plain JSON asks in the Open Inference Protocol."""
    try:
        asked = msgspec.convert(plain, Inference)
    except (msgspec.ValidationError, OverflowError) as error:
        return Refusal("wrong_type", str(error))
    names = [tensor.name for tensor in asked.inputs]
    if len(set(names)) < len(names):
        return Refusal("wrong_type", "two inputs have the same name")
    return asked


def _seldon(plain: dict[str, Any], schema: ModelSchema) -> Asked | Refusal:
    meta = plain.get("meta")
    identity = meta.get("puid") if isinstance(meta, dict) else None
    if "data" not in plain:
        return _asked(_one_row([plain["jsonData"]], None, schema), identity)
    found = rows_of_data(plain["data"])
    return found if isinstance(found, Refusal) else _asked(_one_row(found.rows, found.names, schema), identity)


def _asked(features: dict[str, Any] | Refusal, identity: Any) -> Asked | Refusal:
    return features if isinstance(features, Refusal) else Asked(features, identity)


def _one_row(rows: Any, names: Sequence[str] | None, schema: ModelSchema) -> dict[str, Any] | Refusal:
    """Return the only row by name; a row that is a plain array has the given names, or the declared columns in order."""
    if not isinstance(rows, list):
        return Refusal("wrong_type", f"rows: expected an array, got {kind_of(rows)}")
    if len(rows) != 1:
        return Refusal("several_rows", f"{len(rows)} rows; write one record for each row")
    (row,) = rows
    if isinstance(row, dict):
        return row
    if not isinstance(row, list):
        return Refusal("wrong_type", f"a row: expected an object or an array, got {kind_of(row)}")
    wanted = names or [column.name for column in schema.columns]
    if len(row) != len(wanted):
        return Refusal("missing_column", f"the row has {len(row)} values, and there are columns {', '.join(wanted)}")
    return dict(zip(wanted, row, strict=True))
