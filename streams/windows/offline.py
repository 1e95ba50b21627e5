"""Windows offline: every window of a table of rows at once, point in time, in O(n log n).

The facts of one (source, keys) lie sorted by key and time, so a window's facts are a range, and binary searches find its ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streams.contracts.errors import ContractError
from streams.contracts.features import Source, Window
from streams.contracts.schema import Kind, ModelSchema
from streams.features.evaluate import holds
from streams.features.tree import names_in
from streams.windows.aggregates import family_of, finished
from streams.windows.distinct import count_distinct, previous
from streams.windows.facts import (
    END_MS,
    Facts,
    Floats,
    Integers,
    as_numbers,
    clip_offset,
    fact_kinds,
    filter_of,
    grouped,
    numbers,
    time_column,
)
from streams.windows.sums import running

_ROWS_AT_ONCE: Final = 65_536


def window_values(
    specs: Sequence[Window], schema: ModelSchema, skew_ms: int, rows: pa.Table, facts: Mapping[Source, pa.Table]
) -> Iterator[tuple[Window, Floats]]:
    """Yield each distinct spec and its values for all rows, float64 [rows], NaN where missing.

    Which requests are valid is for the caller to say: leave flagged ones out.

    Args:
        specs: the windows.
        schema: the model's columns, for the types of keys.
        skew_ms: the model's allowed skew.
        rows: `time_ms` and the key columns.
        facts: `requests` (`time_ms` and columns), `outcomes` (`known_ms`, columns, `label`) and registered sources by name
            (`time_ms` and columns), those that a spec reads.

    Raises:
        ContractError: a spec names a column that the schema lacks, that isn't a number, or whose name is reserved; or there
            are too many keys over too long a time.
    """
    for some, members in grouped(specs, schema).items():
        table = _passing(facts[some.source], some, schema)
        line = _Line(table, time_column(some.source), rows, (some.by, schema))
        made = _Made(table, line, fact_kinds(some.source, schema))
        found: dict[int, Integers] = {}
        for spec in members:
            near = clip_offset(spec.delay_ms + skew_ms)
            far = clip_offset(near + spec.range_ms)
            for offset in (near, far):
                if offset not in found:
                    found[offset] = line.find(offset)
            yield spec, line.as_given(made.aggregate(spec, found[far], found[near], rows))


def _passing(table: pa.Table, facts: Facts, schema: ModelSchema) -> pa.Table:
    tree = filter_of(facts, schema)
    if tree is None:
        return table
    kinds = fact_kinds(facts.source, schema)
    columns = {name: _read(table, name, kinds[name]) for name in names_in(tree)}
    return table.filter(pa.array(holds(tree, columns, _times(table, time_column(facts.source)))))


def _read(table: pa.Table, name: str, kind: Kind) -> Any:
    return numbers(_numbers(table, name)) if kind == "number" else table.column(name).to_pylist()


class _Line:
    """Facts sorted by key and time, and rows sorted by key, because searches in order are faster.

    `facts` says which facts they are, in order; those without a key or outside of time are left out.
    """

    def __init__(self, facts: pa.Table, time: str, rows: pa.Table, keys: tuple[tuple[str, ...], ModelSchema]) -> None:
        of_facts, of_rows = _joint_codes(facts, rows, *keys)
        when = _times(facts, time)
        kept = np.flatnonzero((of_facts >= 0) & (when >= 0) & (when < END_MS))
        self.first, self._end = (int(when[kept].min()), int(when[kept].max()) + 1) if len(kept) else (0, 0)
        bits = (self._end - self.first).bit_length()
        if int(max(of_facts.max(initial=0), of_rows.max(initial=0))) >> (63 - bits):
            raise ContractError(f"windows by {', '.join(keys[0])}: too many keys over too long a time; take a shorter one")
        at = (of_facts[kept] << bits) + (when[kept] - self.first)
        order = np.argsort(at, kind="stable")
        self.facts: Integers = kept[order]
        self.at = at[order]
        self.keys = self.at >> bits
        self.times = when[self.facts]
        self.rows = np.argsort(of_rows, kind="stable")
        self.row_times = np.clip(_times(rows, "time_ms"), 0, END_MS)[self.rows]
        self._row_keys = np.maximum(of_rows[self.rows], 0) << bits
        self._missing = of_rows < 0

    def find(self, offset: int) -> Integers:
        """Return per row, in the line's order, the place of its key's first fact at or after its time less an offset."""
        bounds = np.clip(self.row_times - offset, self.first, self._end) - self.first
        places: Integers = np.searchsorted(self.at, self._row_keys + bounds)
        return places

    def as_given(self, values: Floats) -> Floats:
        """Put values into the rows' given order; NaN where the key is missing."""
        given = np.empty(len(values))
        given[self.rows] = values
        given[self._missing] = np.nan
        return given


class _Made:
    """What is made of the facts' columns, each on first use.

    It is read as online state is (`aggregates`), some of the rows at a time; but different values are counted all at once.
    """

    def __init__(self, table: pa.Table, line: _Line, kinds: Mapping[str, Kind]) -> None:
        self._table = table
        self._line = line
        self._kinds = kinds
        self._parts: dict[tuple[str, int], Any] = {}
        self._columns: list[str] = []
        self.at = line.at
        self.values: list[Floats] = []

    def times(self) -> Integers:
        """The facts' times, shape (facts,)."""
        return self._line.times

    def times_at(self, places: Integers) -> Integers:
        """The times of some facts, by their index; shape (places,)."""
        return self._line.times[places]

    def elapsed(self) -> Floats:
        """The facts' times in ms since the first of them, shape (facts,)."""
        return (self._line.times - self._line.first).astype(np.float64)

    def made(self, what: str, column: int, make: Callable[[], Any]) -> Any:
        """Return what was made of a column; make it the first time."""
        if (what, column) not in self._parts:
            self._parts[what, column] = make()
        return self._parts[what, column]

    def aggregate(self, spec: Window, start: Integers, stop: Integers, rows: pa.Table) -> Floats:
        """Return a spec's values for the rows in the line's order, whose facts are those in [start, stop)."""
        column = self._column(spec.column)
        if spec.aggregate == "distinct":
            return self._distinct(column, start, stop)
        own = self._own(rows, spec.column) if spec.aggregate == "ratio" else None
        family = family_of(spec)
        found = np.empty(len(start))
        for begin in range(0, len(start), _ROWS_AT_ONCE):
            some = slice(begin, begin + _ROWS_AT_ONCE)
            results = family.results(family.of(self, column, start[some], stop[some]), len(start[some]))
            found[some] = finished(spec, results, self._line.row_times[some], None if own is None else own[some])
        return found

    def _own(self, rows: pa.Table, column: str | None) -> Floats | None:
        return None if column is None else numbers(_numbers(rows, column))[self._line.rows]

    def _column(self, name: str | None) -> int:
        if name is None:
            return -1
        if name not in self._columns:
            self._columns.append(name)
            self.values.append(as_numbers(_read(self._table, name, self._kinds[name]), self._kinds[name])[self._line.facts])
        return self._columns.index(name)

    def _distinct(self, column: int, start: Integers, stop: Integers) -> Floats:
        values = self.values[column]
        present = ~np.isnan(values)
        upto = running(present)
        before = self.made("previous", column, lambda: previous(self._line.keys[present], values[present]))
        return count_distinct(before, upto[start], upto[stop]).astype(np.float64)


def _joint_codes(facts: pa.Table, rows: pa.Table, by: tuple[str, ...], schema: ModelSchema) -> tuple[Integers, Integers]:
    """Code the keys of facts and rows alike, 0 up; -1 where a part of the key is missing."""
    joint = np.zeros(facts.num_rows + rows.num_rows, dtype=np.int64)
    missing = np.zeros(len(joint), dtype=np.bool_)
    for number, name in enumerate(by):
        wanted = pa.string() if schema.column(name).kind == "category" else pa.float64()
        part, distinct = _codes(pa.chunked_array([*_chunks(facts, name, wanted), *_chunks(rows, name, wanted)], wanted))
        missing |= part < 0
        joint = joint * distinct + np.maximum(part, 0)
        if number:
            joint = np.unique(joint, return_inverse=True)[1].astype(np.int64)
    joint[missing] = -1
    return joint[: facts.num_rows], joint[facts.num_rows :]


def _codes(column: pa.ChunkedArray) -> tuple[Integers, int]:
    """Return each value's code, -1 for null and what isn't finite, and how many there are."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_finite(column), pc.add(column, 0.0), None)  # + 0.0 turns -0.0 into 0.0
    encoded = pc.dictionary_encode(column).unify_dictionaries().combine_chunks()
    return encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64), max(len(encoded.dictionary), 1)


def _chunks(table: pa.Table, name: str, wanted: pa.DataType) -> list[pa.Array]:
    return list(table.column(name).cast(wanted).chunks)


def _times(table: pa.Table, name: str) -> Integers:
    times: Integers = table.column(name).cast(pa.int64()).fill_null(-1).to_numpy().astype(np.int64)
    return times


def _numbers(table: pa.Table, name: str) -> Floats:
    numbers: Floats = table.column(name).cast(pa.float64()).fill_null(np.nan).to_numpy()
    return numbers
