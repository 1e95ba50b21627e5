"""The lake's tables: what their rows hold, and which time they are filed under."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from streams.contracts.errors import LakeError, place_of
from streams.contracts.schema import ModelSchema

PREDICTIONS: Final = "predictions"
OUTCOMES: Final = "outcomes"
LABELS: Final = "labels"

DAY_MS: Final = 86_400_000
EVENT_TIMES: Final[dict[str, str]] = {PREDICTIONS: "time_ms", OUTCOMES: "known_ms", LABELS: "known_ms"}
"""The column that says when a row's fact happened: `date`, the partition column, is its day in UTC."""

DATE: Final = "date"
_HIDDEN: Final = "driftwake.hidden"
_KINDS: Final = {"number": pa.float64(), "category": pa.string()}
_SHADOWS: Final = pa.list_(pa.struct([("name", pa.string()), ("digest", pa.string()), ("score", pa.float64())]))
_BEFORE: Final = {"id": pa.string(), "partition": pa.int32(), "offset": pa.int64(), "time_ms": pa.int64()}
_BEHIND: Final = {
    "windows": pa.map_(pa.string(), pa.float64()),
    "score": pa.float64(),
    "digest": pa.string(),
    "generation": pa.int64(),
    "route": pa.string(),
    "flags": pa.list_(pa.string()),
    "shadows": _SHADOWS,
}
_TOLD: Final = {
    "id": pa.string(),
    "partition": pa.int32(),
    "offset": pa.int64(),
    "label": pa.float64(),
    "known_ms": pa.int64(),
}
_SOURCE: Final = "source_"
_SOURCE_TABLE: Final = re.compile(rf"{_SOURCE}[A-Za-z_][A-Za-z0-9_]{{0,62}}")
_LABELLED: Final = {"label": pa.float64(), "known_ms": pa.int64(), "revision": pa.int32()}

RESERVED: Final = frozenset({*_BEFORE, *_BEHIND, *_LABELLED, DATE})
"""Names that a declared column can't have, because the tables need them."""


class ColumnsError(ValueError):
    """Columns don't fit a table that is there, or each other. Its words name columns and types alone."""


# What these say is where and why, never what a row holds.
_WITHOUT_VALUES: Final = (ColumnsError, OSError, CommitFailedError, TableNotFoundError)


def table_schema(schema: ModelSchema, table: str) -> pa.Schema:
    """Return the Arrow schema of a model's table, without the partition column.

    `partition` and `offset` are the request's position; `windows` maps a window's name to its value; an imported row
    (collected before driftwake served) has an empty digest, a score of NaN, partition -1 and its number as offset. Of `labels`
    and of a registered source they are the record's own position; a label is a row whether or not it ever meets a prediction, and
    null where nobody will know. Columns that nobody may see are marked, and the mark stays with the table.

    Raises:
        LakeError: there is no such table, or a declared column has a reserved name.
    """
    event_time(table)
    source = table.removeprefix(_SOURCE) if table.startswith(_SOURCE) else None
    columns = schema.columns if source is None else schema.columns_of(source)
    taken = [column.name for column in columns if column.name in (RESERVED if source is None else {*_BEFORE, DATE})]
    if taken:
        raise LakeError(
            f"columns {', '.join(taken)}: the lake's tables use these names themselves; map them to others in the config"
        )
    if table == LABELS:
        return pa.schema(list(_TOLD.items()))
    declared = {column.name: _KINDS[column.kind] for column in columns}
    behind = {} if source is not None else {**_BEHIND, **(_LABELLED if table == OUTCOMES else {})}
    marks = {column.name: {_HIDDEN: "true"} for column in columns if column.is_hidden}
    return pa.schema([pa.field(name, kind, metadata=marks.get(name)) for name, kind in {**_BEFORE, **declared, **behind}.items()])


def hidden_in(handle: DeltaTable) -> frozenset[str]:
    """Return the columns that the table itself says nobody is handed."""
    return frozenset(field.name for field in handle.schema().fields if field.metadata.get(_HIDDEN) == "true")


def widen(handle: DeltaTable, schema: pa.Schema) -> None:
    """Add the columns that a table lacks, in one commit; its rows have null in them.

    Raises:
        ColumnsError: a column is there with another type, or differs from one by case alone.
    """
    there = pa.schema(handle.schema().to_arrow())
    for name, kind in zip(schema.names, schema.types, strict=True):
        if name in there.names and (held := there.field(name).type) != kind:
            raise ColumnsError(f"column {name} holds {held} in the table that is there, and {kind} now; give it another name")
    if new := [field for field in schema if field.name not in there.names]:
        check_names([*there.names, *(field.name for field in new)])
        handle.alter.add_columns(Schema.from_arrow(pa.schema(new)).fields)


def check_names(names: Sequence[str]) -> None:
    """Refuse names that differ by case alone, which Delta takes for one.

    Raises:
        ColumnsError: two do.
    """
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(name.casefold(), name)) != name:
            raise ColumnsError(f"columns {other} and {name} differ by case alone, which tables can't tell apart; rename one")


def mark_in(handle: DeltaTable, schema: pa.Schema) -> None:
    """Let a table say what the schema says of who is handed its columns; a commit for each that changes.

    A column that is declared no more stays as it is: what was hidden doesn't come to light that way.
    """
    before = hidden_in(handle)
    for field in schema:
        is_hidden = (field.metadata or {}).get(_HIDDEN.encode()) == b"true"
        if is_hidden != (field.name in before):
            handle.alter.set_column_metadata(field.name, {_HIDDEN: "true" if is_hidden else "false"})


def as_in(handle: DeltaTable, rows: pa.Table) -> pa.Table:
    """Return rows with a table's columns in its order, null where they have none."""
    there = pa.schema(handle.schema().to_arrow())
    arrays = [rows.column(one.name) if one.name in rows.column_names else pa.nulls(len(rows), one.type) for one in there]
    return pa.table(arrays, schema=there)


def source_table(source: str) -> str:
    """Return the table of a registered source."""
    return _SOURCE + source


def fact_table(facts: str) -> str:
    """Return the table that holds some facts of windows: `requests`, `outcomes`, or those of a registered source."""
    return {"requests": PREDICTIONS, "outcomes": OUTCOMES}.get(facts) or source_table(facts)


def event_time(table: str) -> str:
    """Return the name of the time that `table` is filed under.

    Raises:
        LakeError: there is no such table.
    """
    if _SOURCE_TABLE.fullmatch(table) is not None:
        return "time_ms"
    if table not in EVENT_TIMES:
        raise LakeError(f"the lake has no table {table!r}; there are {', '.join(EVENT_TIMES)}, and {_SOURCE}NAME of each source")
    return EVENT_TIMES[table]


def read_time(table: str) -> str:
    """Return the name of the time that `table` is read by unless another is named.

    Raises:
        LakeError: there is no such table.
    """
    filed = event_time(table)
    return filed if table == LABELS else "time_ms"


def dated(rows: pa.Table, table: str) -> pa.Table:
    """Return the rows with their `date`."""
    return rows.append_column(pa.field(DATE, pa.date32()), day_of(rows.column(event_time(table))))


def day_of(milliseconds: Any) -> Any:
    """Return the UTC day of epoch milliseconds: an Arrow array, or a scalar for a scalar."""
    return pc.cast(pc.cast(milliseconds, pa.timestamp("ms")), pa.date32(), safe=False)


@contextmanager
def explained(model: str, table: str) -> Iterator[None]:
    """Turn what the libraries raise while a table is used into a `LakeError` that names it.

    Their own words may repeat values of rows, as of what can't be cast, or of the least and most that a table's log holds of each
    column. So only what went wrong where is said then, and the words are shown by no traceback but that of a skill's own log.
    """
    try:
        yield
    except _WITHOUT_VALUES as error:
        raise LakeError(f"{model}/{table}: {error}") from None
    except (DeltaError, pa.ArrowException, KeyError, ValueError) as error:
        raise LakeError(f"{model}/{table}: {place_of(error)}") from None
