"""A batch of decoded requests as columns, and parts of it."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.contracts.schema import ModelSchema
from streams.dialects.base import Row

Columns = Mapping[str, Any]


class Batch(NamedTuple):
    """Requests as columns, in offset order.

    `keys` are their record keys and ids, which say what a canary answers; `scores` what another server answered.
    """

    times: list[int]
    columns: Columns
    windows: Columns
    keys: Sequence[tuple[bytes | None, str]] = ()
    scores: NDArray[np.float64] | None = None

    def part(self, rows: Sequence[int]) -> Batch:
        """Return some of its rows."""
        keys = [self.keys[row] for row in rows] if self.keys else ()
        scores = self.scores[list(rows)] if self.scores is not None else None
        return Batch([self.times[row] for row in rows], part(self.columns, rows), part(self.windows, rows), keys, scores)


def as_columns(schema: ModelSchema, rows: Sequence[Row]) -> dict[str, Any]:
    """Turn rows into columns of all declared names: float64 arrays with NaN for null, or lists of strings and None."""
    # Column by column, not row by row: a tuple per row would be one more object for the garbage collector to visit.
    features = [row.features for row in rows]
    columns: dict[str, Any] = {}
    for column in schema.columns:
        values = list(map(operator.attrgetter(column.name), features))
        columns[column.name] = np.array(values, np.float64) if column.kind == "number" else values
    return columns


def part(columns: Columns, rows: Sequence[int]) -> Columns:
    """Return some rows of columns."""
    return {name: _at(values, rows) for name, values in columns.items()}


def _at(values: Any, rows: Sequence[int]) -> Any:
    return values[rows] if isinstance(values, np.ndarray) else [values[row] for row in rows]
