"""Seldon's `data`: rows as nested or flat arrays, and the names of their values."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from streams.dialects._rows import kind_of
from streams.dialects.base import Refusal


class Named(NamedTuple):
    """Rows, whatever they are, and the names of a row's values where they are given."""

    rows: Any
    names: list[str] | None


def rows_of_data(data: Any) -> Named | Refusal:
    """Read the object under `data`."""
    if not isinstance(data, dict):
        return Refusal("wrong_type", f"data: expected an object, got {kind_of(data)}")
    names = data.get("names") or None
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        return Refusal("wrong_type", "data.names: expected an array of strings")
    rows = _of_tensor(data["tensor"]) if "tensor" in data else data.get("ndarray")
    return rows if isinstance(rows, Refusal) else Named(rows, names)


def _of_tensor(tensor: Any) -> list[list[Any]] | Refusal:
    """Cut flat values into rows."""
    shape, values = (tensor.get("shape"), tensor.get("values")) if isinstance(tensor, dict) else (None, None)
    if not isinstance(shape, list) or not isinstance(values, list) or len(shape) != 2:
        return Refusal("wrong_type", "data.tensor: expected values and a shape of rows and columns")
    if not all(isinstance(length, int) and length > 0 for length in shape) or math.prod(shape) != len(values):
        return Refusal("wrong_type", f"data.tensor: {len(values)} values aren't what its shape says")
    width = shape[1]
    return [values[at : at + width] for at in range(0, len(values), width)]
