"""Window columns for rows, point in time, from facts in the lake.

`Facts.columns` is exact: the same SQL that parity tests hold against the online state. `Facts.preview` is for searching
through hundreds of windows: plain running sums in float64 and binary searches, several times as fast, good to about eight
digits. What a search accepts is checked against the exact values before anybody trusts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skills._kit.frames import Booleans, Floats, Integers, Singles, codes, floats, integers
from streams.contracts.features import Window
from streams.contracts.schema import ModelSchema
from streams.lake.query import run
from streams.windows.facts import LARGEST_VALUE, TIME_BITS
from streams.windows.sql import compile_windows

_TIMES = {"requests": "time_ms", "outcomes": "known_ms"}


class Facts:
    """What windows of a model are made of: valid requests and outcomes, as tables.

    Args:
        schema: the model's columns.
        requests: `time_ms` and the declared columns of unflagged requests.
        outcomes: `known_ms`, the declared columns and `label` of unflagged outcomes, corrections included.
        skew_ms: the allowed cross-partition skew.
    """

    def __init__(self, schema: ModelSchema, requests: pa.Table, outcomes: pa.Table, skew_ms: int) -> None:
        self.schema = schema
        self.skew_ms = skew_ms
        self._tables = {"requests": requests, "outcomes": outcomes}

    def columns(self, windows: Sequence[Window], rows: pa.Table) -> Floats:
        """Return the windows' exact values as float64 [rows, windows], NaN where missing; `rows` has `time_ms` and the keys.

        Raises:
            LakeError: the query failed.
        """
        if not windows:
            return np.zeros((rows.num_rows, 0))
        keys = list(dict.fromkeys(name for window in windows for name in window.by))
        named = rows.select(["time_ms", *keys]).append_column("row", pa.array(np.arange(rows.num_rows, dtype=np.int64)))
        tables = {"rows": named}
        for source, facts in self._tables.items():
            needed = [window for window in windows if window.source == source]
            names = {name for window in needed for name in (*window.by, window.column) if name is not None}
            if needed:
                tables[source] = facts.select([_TIMES[source], *sorted(names)])
        found = run(compile_windows(windows, self.schema, self.skew_ms), tables)
        return np.stack([floats(found, window.name) for window in windows], axis=1)

    def preview(self, windows: Sequence[Window], rows: pa.Table) -> Singles:
        """Return the windows' values to about eight digits, as float32 [rows, windows], NaN where missing."""
        values = np.full((rows.num_rows, len(windows)), np.nan, dtype=np.float32)
        groups: dict[tuple[str, tuple[str, ...]], list[int]] = {}
        for index, window in enumerate(windows):
            groups.setdefault((window.source, window.by), []).append(index)
        time_ms = integers(rows, "time_ms")
        for (source, by), members in groups.items():
            facts = self._tables[source]
            line = _timeline(facts, _TIMES[source], rows, by)
            sums: dict[str, _Sums] = {}
            for index in members:
                window = windows[index]
                if window.column is not None and window.column not in sums:
                    sums[window.column] = _sums(floats(facts, window.column)[line.order])
                near = time_ms - window.delay_ms - self.skew_ms
                low, high = (np.searchsorted(line.code, line.asked + np.maximum(at, 0)) for at in (near - window.range_ms, near))
                found = _aggregate(window, low, high, sums)
                values[:, index] = np.where(line.missing, np.nan, found)
        return values


class _Timeline(NamedTuple):
    """Facts sorted by key and time: their order, their codes (key, then time), and each row's key as the start of its codes."""

    order: Integers
    code: Integers
    asked: Integers
    missing: Booleans


class _Sums(NamedTuple):
    """Running sums and counts of a column's present values, starting with 0 [facts + 1]."""

    sums: Floats
    counts: Integers


def _timeline(facts: pa.Table, time: str, rows: pa.Table, by: tuple[str, ...]) -> _Timeline:
    of_facts, of_rows = _joint_keys(facts, rows, by)
    when = integers(facts, time)
    code = np.where(of_facts >= 0, (of_facts << TIME_BITS) + when, -1)
    order = np.argsort(code, kind="stable")
    return _Timeline(order, code[order], np.maximum(of_rows, 0) << TIME_BITS, of_rows < 0)


def _joint_keys(facts: pa.Table, rows: pa.Table, by: tuple[str, ...]) -> tuple[Integers, Integers]:
    """Code the keys of facts and rows alike, 0 up; -1 where a part of the key is missing."""
    joint = np.zeros(facts.num_rows + rows.num_rows, dtype=np.int64)
    missing = np.zeros(len(joint), dtype=np.bool_)
    for name in by:
        both = pa.chunked_array([*facts.column(name).chunks, *rows.column(name).cast(facts.column(name).type).chunks])
        if pa.types.is_floating(both.type):
            both = pc.if_else(pc.fill_null(pc.is_finite(both), fill_value=False), both, None)
        part, distinct = codes(both)
        missing |= part < 0
        joint = joint * (len(distinct) + 1) + part
        joint = np.unique(joint, return_inverse=True)[1].astype(np.int64)
    joint[missing] = -1
    return joint[: facts.num_rows], joint[facts.num_rows :]


def _sums(values: Floats) -> _Sums:
    present = np.abs(values) <= LARGEST_VALUE
    return _Sums(np.r_[0.0, np.cumsum(np.where(present, values, 0.0))], np.r_[0, np.cumsum(present)])


def _aggregate(window: Window, low: Integers, high: Integers, sums: dict[str, _Sums]) -> Floats:
    if window.column is None:
        return (high - low).astype(np.float64)
    running = sums[window.column]
    total, count = running.sums[high] - running.sums[low], running.counts[high] - running.counts[low]
    if window.aggregate == "sum":
        return np.where(count > 0, total, 0.0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def unflagged(table: pa.Table) -> pa.Table:
    """Leave out rows that a monitor or the decoder flagged as suspect."""
    if "flags" not in table.column_names:
        return table
    return table.filter(pc.equal(pc.fill_null(pc.list_value_length(table.column("flags")), 0), 0))


def longest_reach_ms(windows: Sequence[Window], skew_ms: int) -> int:
    """Return how far back from a row the facts of these windows can lie."""
    return max((window.range_ms + window.delay_ms for window in windows), default=0) + skew_ms
