"""Rows that were collected before driftwake served a model, in the shape of the lake's tables."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streams.contracts.errors import LakeError
from streams.contracts.records import CHAMPION
from streams.contracts.schema import ModelSchema
from streams.lake.tables import OUTCOMES, PREDICTIONS, table_schema

HISTORY_MARK: Final = "history:"


def as_tables(schema: ModelSchema, rows: pa.Table) -> dict[str, pa.Table]:
    """Return history as predictions (all rows) and outcomes (those with a label), filled as `table_schema` says.

    Raises:
        LakeError: a column is missing or has the wrong type, a time is null, or a label has no time.
    """
    needed = ["id", "time_ms", *(column.name for column in schema.columns), "label", "known_ms"]
    missing = [name for name in needed if name not in rows.column_names]
    if missing:
        raise LakeError(f"history lacks the columns {', '.join(missing)}")
    _check(rows)
    filled = {**{name: rows.column(name) for name in needed}, **_constants(len(rows))}
    tables = {
        PREDICTIONS: filled,
        OUTCOMES: {name: column.filter(rows.column("label").is_valid()) for name, column in filled.items()},
    }
    return {table: _shaped(columns, table_schema(schema, table)) for table, columns in tables.items()}


def _check(rows: pa.Table) -> None:
    for name in ("id", "time_ms"):
        if rows.column(name).null_count:
            raise LakeError(f"history: {name} must not be null")
    if pc.any(pc.and_(rows.column("label").is_valid(), rows.column("known_ms").is_null())).as_py():
        raise LakeError("history: a label without the time at which it became known (known_ms) can't be placed in time")


def _constants(count: int) -> dict[str, pa.ChunkedArray]:
    constants = {
        "partition": pa.array(np.full(count, -1, dtype=np.int32)),
        "offset": pa.array(np.arange(count)),
        "windows": pa.array([[]] * count, pa.map_(pa.string(), pa.float64())),
        "score": pa.array(np.full(count, np.nan)),
        "digest": pa.array([""] * count),
        "generation": pa.array(np.zeros(count, dtype=np.int64)),
        "route": pa.array([CHAMPION] * count),
        "flags": pa.array([[]] * count, pa.list_(pa.string())),
        "shadows": pa.array(
            [[]] * count, pa.list_(pa.struct([("name", pa.string()), ("digest", pa.string()), ("score", pa.float64())]))
        ),
        "revision": pa.array(np.zeros(count, dtype=np.int32)),
    }
    return {name: pa.chunked_array([array]) for name, array in constants.items()}


def _shaped(columns: dict[str, pa.ChunkedArray], schema: pa.Schema) -> pa.Table:
    return pa.table({field.name: _cast(columns[field.name], field) for field in schema}, schema=schema)


def _cast(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    try:
        return column.cast(field.type)
    except pa.ArrowException:
        # What couldn't be read is a value of somebody's: Arrow's words repeat it.
        raise LakeError(f"history: {field.name} holds {column.type}, not all of which can be read as {field.type}") from None
