"""Tensors of the Open Inference Protocol v2 to values, and to the columns of one row.

Either there is a tensor of one element for each column, as pandas codecs write them, or one tensor holds all columns in declared
order. Source: kserve/open-inference-protocol, inference_rest.md; the raw form is Triton's binary tensor data extension.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from streams.contracts.schema import ModelSchema
from streams.dialects._rows import kind_of
from streams.dialects.base import Refusal

_RAW = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
_BF16 = "BF16"  # in no JSON form, and no type of numpy's: the upper half of a float32
_BYTES = "BYTES"
_LENGTH = 4  # bytes before each element of raw BYTES that say how long it is
_DEEPEST = 8


class Tensor(msgspec.Struct):
    """One input of a request or output of an answer; its data stand here or, raw, behind the JSON."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] = {}
    data: Any = None

    @property
    def raw_bytes(self) -> int | None:
        """How many bytes behind the JSON are its own; None when its data stand in the JSON."""
        size = self.parameters.get("binary_data_size")
        return size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None


def features_of(tensors: Sequence[Tensor], raw: bytes, schema: ModelSchema) -> dict[str, Any] | Refusal:
    """Return the columns of the one row that tensors hold: text, number or None by name. Arguments as for `table_of`."""
    table = table_of(tensors, raw, schema)
    if isinstance(table, Refusal):
        return table
    name, rows = next(((name, len(values)) for name, values in table.items() if len(values) != 1), ("", 1))
    if rows != 1:
        return Refusal("several_rows", f"{name}: {rows} values; write one record for each row")
    return {name: values[0] for name, values in table.items()}


def table_of(tensors: Sequence[Tensor], raw: bytes, schema: ModelSchema) -> dict[str, list[Any]] | Refusal:
    """Return the columns that tensors hold: lists of text, number or None by name, which needn't be all of the schema's columns.

    Args:
        tensors: the inputs, in order.
        raw: what stands behind the JSON.
        schema: says which columns there are, and their order.
    """
    values = values_of(tensors, raw)
    return values if isinstance(values, Refusal) else _columns(tensors, values, schema)


def values_of(tensors: Sequence[Tensor], raw: bytes) -> dict[str, list[Any]] | Refusal:
    """Return each tensor's elements in order, by its name: numbers as Python's, and what isn't a number as None."""
    values: dict[str, list[Any]] = {}
    for tensor in tensors:
        size = tensor.raw_bytes
        own, raw = (None, raw) if size is None else (raw[:size], raw[size:])
        if size is not None and (own is None or len(own) < size):
            return Refusal("wrong_type", "fewer raw bytes than binary_data_size says")
        found = _elements(tensor, own)
        if isinstance(found, Refusal):
            return found
        values[tensor.name] = found
    if raw:
        return Refusal("wrong_type", "more raw bytes than the tensors' binary_data_size say")
    return values


def _columns(tensors: Sequence[Tensor], values: dict[str, list[Any]], schema: ModelSchema) -> dict[str, list[Any]] | Refusal:
    names = [column.name for column in schema.columns]
    if len(tensors) == 1 and tensors[0].name not in names:
        (flat,) = values.values()
        rows = rows_of(tensors[0])
        if len(flat) != rows * len(names):
            width = len(flat) // max(rows, 1)
            return Refusal("missing_column", f"the tensor holds {width} values a row, and there are columns {', '.join(names)}")
        return {name: flat[place :: len(names)] for place, name in enumerate(names)}
    return {name: found for name, found in values.items() if name in names}


def rows_of(tensor: Tensor) -> int:
    """How many rows a tensor that holds whole rows has."""
    return tensor.shape[0] if len(tensor.shape) > 1 else 1


def _elements(tensor: Tensor, own: bytes | None) -> list[Any] | Refusal:
    """Return a tensor's elements in order, numbers as Python's and what isn't a number as None."""
    if tensor.datatype not in {*_RAW, _BYTES, _BF16}:
        return Refusal("wrong_type", "a tensor's datatype isn't one of the protocol")
    if len(tensor.shape) > _DEEPEST or any(length < 0 for length in tensor.shape):
        return Refusal("wrong_type", f"a tensor's shape: expected at most {_DEEPEST} lengths, none below zero")
    found = _of_json(tensor) if own is None else _of_raw(tensor.datatype, own)
    if isinstance(found, Refusal):
        return found
    if len(found) != math.prod(tensor.shape):
        return Refusal("wrong_type", f"a tensor holds {len(found)} values, and its shape says {math.prod(tensor.shape)}")
    return found


def _of_json(tensor: Tensor) -> list[Any] | Refusal:
    if not isinstance(tensor.data, list):
        return Refusal("wrong_type", f"a tensor's data: expected an array, got {kind_of(tensor.data)}")
    if tensor.datatype == _BF16:
        return Refusal("wrong_type", "BF16 has no JSON form; write it raw")
    try:
        flat = list(_flat(tensor.data, _DEEPEST))
    except RecursionError:
        return Refusal("wrong_type", "a tensor's data are nested too deep")
    if tensor.datatype == _BYTES:
        return [_decoded(value) for value in flat] if tensor.parameters.get("content_type") == "base64" else flat
    return [float(value) if isinstance(value, bool) else value for value in flat]


def _flat(data: list[Any], deepest: int) -> Iterator[Any]:
    if not deepest:
        raise RecursionError
    for value in data:
        if isinstance(value, list):
            yield from _flat(value, deepest - 1)
        else:
            yield value


def _decoded(value: Any) -> Any:
    """Undo base64; what isn't text in it is left for the row's check to refuse."""
    try:
        return base64.b64decode(value, validate=True).decode() if isinstance(value, str) else value
    except ValueError:
        return []


def _of_raw(datatype: str, own: bytes) -> list[Any] | Refusal:
    if datatype == _BYTES:
        return _texts(own)
    width = 2 if datatype == _BF16 else np.dtype(_RAW[datatype]).itemsize
    if len(own) % width:
        return Refusal("wrong_type", f"{len(own)} raw bytes aren't whole {datatype}")
    if datatype == _BF16:
        numbers = (np.frombuffer(own, "<u2").astype("<u4") << 16).view("<f4")
    else:
        numbers = np.frombuffer(own, _RAW[datatype])
    return [None if isinstance(value, float) and math.isnan(value) else value + 0 for value in numbers.tolist()]


def _texts(own: bytes) -> list[Any] | Refusal:
    found, at = [], 0
    while at < len(own):
        length = int.from_bytes(own[at : at + _LENGTH], "little")
        at += _LENGTH
        if at + length > len(own):
            return Refusal("wrong_type", "raw BYTES end in the middle of an element")
        try:
            found.append(own[at : at + length].decode())
        except UnicodeDecodeError:
            return Refusal("wrong_type", "raw BYTES hold what isn't UTF-8")
        at += length
    return found
