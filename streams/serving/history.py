"""The facts that lie in the lake: where a backfill begins, before it goes on with the log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from streams.contracts.errors import LakeError
from streams.contracts.features import Source, Window
from streams.contracts.schema import OWN_FACTS, ModelSchema
from streams.lake.lake import Lake
from streams.lake.tables import fact_table
from streams.serving.columns import fact_columns
from streams.serving.feed import Facts
from streams.windows.facts import time_column
from streams.windows.texts import Texts


class Past(NamedTuple):
    """Archived facts, part by part; how many there are; and the offsets (`topic/partition`) below which all are among them."""

    parts: Iterator[Facts]
    rows: int
    positions: dict[str, int]


History = Callable[[Sequence[Window], int | None], Awaitable[Past]]
"""Given windows and the oldest time they can see (None for all there is), return the past."""

_ATTEMPTS = 10
_PART_ROWS = 50_000


async def no_history(specs: Sequence[Window], since_ms: int | None) -> Past:
    """Return nothing: every fact is in the log."""
    return Past(iter(()), 0, {})


def lake_history(lake: Lake, model: str, schema: ModelSchema) -> History:
    """Return a history that reads a model's tables."""

    async def read(specs: Sequence[Window], since_ms: int | None) -> Past:
        columns = {source: fact_columns(specs, schema, source) for source in dict.fromkeys(spec.source for spec in specs)}
        return await asyncio.to_thread(_read, lake, model, columns, since_ms)

    return read


def _read(lake: Lake, model: str, columns: Mapping[Source, Sequence[str]], since_ms: int | None) -> Past:
    tables: dict[Source, pa.Table] = {}
    found: dict[str, int] = {}
    for source, names in columns.items():
        table, time = fact_table(source), time_column(source)
        if not lake.exists(model, table):
            continue
        version, positions = _stand(lake, model, table)
        flags = ["flags"] if source in OWN_FACTS else []
        label = ["label"] if source == "outcomes" else []
        wanted = [time, *flags, *names, *label]
        rows = lake.read(model, table, wanted, since_ms=since_ms, time_column=time, version=version, keys=names)
        tables[source] = rows.filter(pc.equal(pc.list_value_length(rows.column("flags")), 0)) if flags else rows
        found.update(positions)
    return Past(_parts(tables, columns), sum(rows.num_rows for rows in tables.values()), found)


def _parts(tables: Mapping[Source, pa.Table], columns: Mapping[Source, Sequence[str]]) -> Iterator[Facts]:
    """Python's objects take ten times what columns do, so only a part of them is there at once."""
    for source, rows in tables.items():
        for first in range(0, rows.num_rows, _PART_ROWS):
            yield _facts(source, rows.slice(first, _PART_ROWS), columns[source])


def _stand(lake: Lake, model: str, table: str) -> tuple[int, dict[str, int]]:
    """Return a version and the positions that belong to it, though the archive goes on being written."""
    for _ in range(_ATTEMPTS):
        version = lake.version(model, table)
        positions = lake.positions(model, table)
        if lake.version(model, table) == version:
            return version, positions
    raise LakeError(f"{model}/{table}: written faster than it can be read; try again")


def _facts(source: Source, rows: pa.Table, columns: Sequence[str]) -> Facts:
    label = _values(rows.column("label")) if source == "outcomes" else ()
    times = rows.column(time_column(source)).to_numpy()
    return Facts(source, times, {name: _values(rows.column(name)) for name in columns}, label)


def _values(column: pa.ChunkedArray) -> Any:
    """Return numbers as float64 with NaN for null, or texts."""
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        return column.cast(pa.float64()).to_numpy()
    return Texts.of(column.combine_chunks())
