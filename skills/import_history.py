"""Store rows that were collected before driftwake served the model, so that windows and training can reach back."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pyarrow as pa

from skills._kit.errors import InputError
from skills._kit.frames import column_of, read_table
from skills._kit.protected import protected
from skills._kit.skill import Need, Spec
from streams.contracts.schema import ModelSchema
from streams.lake.lake import Lake

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Roles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which columns of the table hold the id, the event time, when the label was known (both epoch ms), and the label."""

    id: str = "id"
    time_ms: str = "time_ms"
    known_ms: str = "known_ms"
    label: str = "label"


class Input(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`table` is a parquet file with the roles' columns and every declared column, as they came; `name` is imported once.

    `key_file` is where the key lies that columns are hashed with; needed where some are protected.
    """

    lake: str
    model: str
    schema: ModelSchema
    table: str
    roles: Roles = Roles()
    name: str
    key_file: str | None = None


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows the history has (stored now or by an earlier run of the same name)."""

    rows: int


SPEC = Spec(
    summary="Import history into the lake",
    input=Input,
    output=Output,
    need=Need(seconds=300, memory_mb=4_096),
    changes=("lake",),
)

_TYPES = {"id": pa.string(), "time_ms": pa.int64(), "known_ms": pa.int64(), "label": pa.float64()}


def run(request: Input, work: Path) -> Output:
    """Import a table once; a name that was imported before changes nothing.

    Raises:
        SkillError: a column is missing or has the wrong type, or the lake can't be written.
    """
    del work  # only the lake is written
    if _NAME.fullmatch(request.name) is None:
        raise InputError(f"name {request.name!r}: use letters, digits, dots, dashes and underscores")
    given = read_table(request.table)
    roles = msgspec.to_builtins(request.roles)
    columns = {role: (column_of(given, roles[role]), kind) for role, kind in _TYPES.items()}
    for column in request.schema.columns:
        columns[column.name] = (column_of(given, column.name), pa.float64() if column.kind == "number" else pa.string())
    rows = pa.table({name: _cast(name, values, kind) for name, (values, kind) in columns.items()})
    rows = protected(rows, request.schema, request.key_file)
    Lake(request.lake).import_history(request.model, request.schema, rows, request.name)
    return Output(rows=rows.num_rows)


def _cast(name: str, values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    try:
        return values.cast(kind)
    except pa.ArrowException as error:
        # Arrow's words repeat the value that it stumbled over; they are in the skill's own log.
        raise InputError(f"the table's {name} holds {values.type}, not all of which can be read as {kind}") from error
