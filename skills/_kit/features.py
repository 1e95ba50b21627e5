"""Window columns for rows, point in time, from facts in the lake.

`Facts.columns` is what everything is trained and judged on. `Facts.queried` is a second opinion: what a search accepts is
computed by both before anybody trusts it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skills._kit.frames import Floats, floats
from streams.contracts.features import Source, Window
from streams.contracts.schema import OWN_FACTS, ModelSchema
from streams.lake.query import run
from streams.windows.facts import columns_of, own_columns, time_column
from streams.windows.offline import window_values
from streams.windows.sql import compile_windows, table_name


class Facts:
    """What windows of a model are made of: valid requests and outcomes, as tables.

    Args:
        schema: the model's columns.
        tables: `requests`, `time_ms` and the declared columns of unflagged requests; `outcomes`, `known_ms`, the declared
            columns and `label` of unflagged outcomes, corrections included; and each registered source, `time_ms` and columns.
        skew_ms: the allowed cross-partition skew.
    """

    def __init__(self, schema: ModelSchema, tables: Mapping[Source, pa.Table], skew_ms: int) -> None:
        self.schema = schema
        self.skew_ms = skew_ms
        self._tables = tables

    @property
    def looked_up(self) -> dict[Source, pa.Table]:
        """The records of registered sources by name."""
        return {source: table for source, table in self._tables.items() if source not in OWN_FACTS}

    def columns(self, windows: Sequence[Window], rows: pa.Table) -> Floats:
        """Return the windows' values as float64 [rows, windows], NaN where missing.

        `rows` has `time_ms`, the keys, and what a ratio takes of the row.

        Raises:
            ContractError: a window doesn't fit the schema.
        """
        values = np.empty((rows.num_rows, len(windows)))
        for window, found in window_values(windows, self.schema, self.skew_ms, rows, self._tables):
            values[:, [one == window for one in windows]] = found[:, None]
        return values

    def queried(self, windows: Sequence[Window], rows: pa.Table) -> Floats:
        """Return what `columns` does, by SQL: slower, and sharing no code with it.

        Raises:
            ContractError: a window doesn't fit the schema.
            LakeError: the query failed.
        """
        read = list(dict.fromkeys(name for window in windows for name in (*window.by, *own_columns(window))))
        named = rows.select(["time_ms", *read]).append_column("row", pa.array(np.arange(rows.num_rows, dtype=np.int64)))
        tables: dict[str, pa.Table] = {"rows": named}
        for source, facts in self._tables.items():
            needed = [window for window in windows if window.source == source]
            names = {name for window in needed for name in (*window.by, *columns_of(window, self.schema))}
            if needed:
                tables[table_name(source)] = facts.select([time_column(source), *sorted(names)])
        found = run(compile_windows(windows, self.schema, self.skew_ms), tables)
        return np.stack([floats(found, window.name) for window in windows], axis=1)


def unflagged(table: pa.Table) -> pa.Table:
    """Leave out rows that a monitor or the decoder flagged as suspect."""
    if "flags" not in table.column_names:
        return table
    return table.filter(pc.equal(pc.fill_null(pc.list_value_length(table.column("flags")), 0), 0))


def longest_reach_ms(windows: Sequence[Window], skew_ms: int) -> int:
    """Return how far back from a row the facts of these windows can lie."""
    return max((window.range_ms + window.delay_ms for window in windows), default=0) + skew_ms
