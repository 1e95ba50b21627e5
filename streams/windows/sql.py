"""Windows in SQL: specs become one DuckDB statement, point in time, in O(n log n).

Per kind of facts, rows and facts stand in one relation, and each window is a frame by range over it: the facts with the row's
keys in [t - far, t - near), which are whole milliseconds. Frames are answered from segment trees; there is no range join, so
a year-long window costs what a minute-long one does.
"""

from __future__ import annotations

# ruff: noqa: S608 - every identifier is quoted by `_quoted`, every number is ours; of values only those of a filter, quoted, get in
from collections.abc import Mapping, Sequence

from streams.contracts.features import Source, Window
from streams.contracts.schema import OWN_FACTS, ModelSchema
from streams.features.sql import compiled
from streams.features.tree import names_in
from streams.windows.aggregates import HOUR_MS, NO_SPREAD
from streams.windows.facts import (
    END_MS,
    LARGEST_VALUE,
    SMALLEST_VALUE,
    Facts,
    clip_offset,
    fact_kinds,
    filter_of,
    grouped,
    own_columns,
    time_column,
)


def table_name(source: Source) -> str:
    """Return what the table of some facts is called in the statement."""
    return source if source in OWN_FACTS else f"source_{source}"


def compile_windows(specs: Sequence[Window], schema: ModelSchema, skew_ms: int) -> str:
    """Return the statement that computes `specs`.

    It reads registered tables: `rows(row, time_ms, <keys, and columns of ratios>)`, `requests(time_ms, <columns>)`,
    `outcomes(known_ms, <columns>, label)` and `source_<name>(time_ms, <columns>)`; a table that no spec needs may be absent. The
    result has `row` (bigint) and one float64 column per distinct spec, called `spec.name`, null where the value is missing,
    ordered by `row`. Which requests are valid is for the caller to say: leave flagged rows out.

    Args:
        specs: the windows; at least one.
        schema: the model's columns, for the types of keys.
        skew_ms: the model's allowed skew.

    Raises:
        ContractError: a spec names a column that the schema lacks, that isn't a number, or whose name is reserved; or its
            filter isn't one.
    """
    groups = grouped(specs, schema)
    distinct = list(dict.fromkeys(specs))
    parts = [_rows(distinct, schema)]
    places: dict[str, str] = {}
    for number, (facts, group) in enumerate(groups.items()):
        parts += _Group(f"g{number}", facts, group, schema, skew_ms).tables()
        places |= {spec.name: f"g{number}" for spec in group}
    columns = ", ".join(f"{places[spec.name]}.{_quoted(spec.name)}" for spec in distinct)
    joins = "\n".join(f"JOIN g{number} ON g{number}.row = rows_.row" for number in range(len(groups)))
    return (
        "WITH "
        + ",\n".join(parts)
        + f"\nSELECT rows_.row AS row{', ' if columns else ''}{columns}\nFROM rows_\n{joins}\nORDER BY rows_.row"
    )


class _Group:
    """The common table expressions of all specs over the same facts."""

    def __init__(self, name: str, facts: Facts, specs: Sequence[Window], schema: ModelSchema, skew_ms: int) -> None:
        self.name = name
        self.facts = facts
        self.specs = specs
        self.schema = schema
        self.kinds = fact_kinds(facts.source, schema)
        self.columns = tuple(dict.fromkeys(spec.column for spec in specs if spec.column is not None))
        near = {spec: clip_offset(spec.delay_ms + skew_ms) for spec in specs}
        self.frames = {spec: (clip_offset(near[spec] + spec.range_ms), near[spec]) for spec in specs}

    def tables(self) -> list[str]:
        """Return the facts, and the values per row, as `name AS (...)`."""
        return [self._facts(), self._values()]

    def _facts(self) -> str:
        """The facts that count; `u` of each column is the largest value of its key and time, once."""
        time = f"CAST({time_column(self.facts.source)} AS BIGINT)"
        keys = [_quoted(f"k_{column}") for column in self.facts.by]
        chosen = [f"{_key(column, self.schema)} AS {key}" for column, key in zip(self.facts.by, keys, strict=True)]
        chosen += [f"{time} AS t", *(f"{self._column(column)} AS v{i}" for i, column in enumerate(self.columns))]
        tree = filter_of(self.facts, self.schema)
        conditions = [f"{time} >= 0", f"{time} < {END_MS}"]
        if tree is not None:
            columns = {name: self._column(name) for name in names_in(tree)}
            conditions.append(f"{compiled(tree, columns, time)} > 0")
        inner = f"SELECT {', '.join(chosen)} FROM {table_name(self.facts.source)} WHERE {' AND '.join(conditions)}"
        place = ", ".join([*keys, "t"])
        largest = "".join(
            f", CASE WHEN row_number() OVER (PARTITION BY {place} ORDER BY v{i} DESC NULLS LAST) = 1 THEN v{i} END AS u{i}"
            for i in range(len(self.columns))
        )
        present = " AND ".join(f"{key} IS NOT NULL" for key in keys) or "TRUE"
        return f"{self.name}_facts AS (SELECT *{largest} FROM ({inner}) WHERE {present})"

    def _values(self) -> str:
        keys = [_quoted(f"k_{column}") for column in self.facts.by]
        shared = ", ".join([*keys, "t"])
        both = f"SELECT * FROM {self.name}_facts UNION ALL BY NAME SELECT {', '.join([shared, 'row', *self._own()])} FROM rows_"
        partition = f"PARTITION BY {', '.join(keys)} " if keys else ""
        frames = {frame: f"w{number}" for number, frame in enumerate(dict.fromkeys(self.frames.values()))}
        windows = ", ".join(
            f"{name} AS ({partition}ORDER BY t RANGE BETWEEN {far} PRECEDING AND {near + 1} PRECEDING)"
            for (far, near), name in frames.items()
        )
        missing = " OR ".join(f"{key} IS NULL" for key in keys) or "FALSE"
        values = ", ".join(
            f"CASE WHEN {missing} THEN NULL ELSE {self._value(spec, frames[self.frames[spec]])} END AS {_quoted(spec.name)}"
            for spec in self.specs
        )
        found = f"SELECT row, {values} FROM ({both}) WINDOW {windows}"
        return f"{self.name} AS (SELECT * FROM ({found}) WHERE row IS NOT NULL)"

    def _own(self) -> list[str]:
        return [f"{_quoted(f'o_{column}')} AS o{self.columns.index(column)}" for column in _owned(self.specs)]

    def _value(self, spec: Window, frame: str) -> str:
        if spec.column is None:
            if spec.aggregate == "since":
                return f"(t - max(t) FILTER (WHERE row IS NULL) OVER {frame}) / 1000.0"
            return f"CAST(count(*) FILTER (WHERE row IS NULL) OVER {frame} AS DOUBLE)"
        i = self.columns.index(spec.column)
        names = {"v": f"v{i}", "u": f"u{i}", "o": f"o{i}", "w": frame, "facts": f"{self.name}_facts"}
        return _AGGREGATES[spec.aggregate].format(**names, back=spec.back)

    def _column(self, name: str) -> str:
        return _number(name) if self.kinds[name] == "number" else f"CAST({_quoted(name)} AS VARCHAR)"


_AGGREGATES: Mapping[str, str] = {
    "sum": "coalesce(sum({v}) OVER {w}, 0.0)",
    "mean": "sum({v}) OVER {w} / nullif(count({v}) OVER {w}, 0)",
    "min": "min({v}) OVER {w}",
    "max": "max({v}) OVER {w}",
    "std": (
        f"CASE WHEN stddev_samp({{v}}) OVER {{w}} <= {NO_SPREAD!r} * abs(avg({{v}}) OVER {{w}}) THEN 0.0 "
        "ELSE stddev_samp({v}) OVER {w} END"
    ),
    "distinct": "CAST(count(DISTINCT {v}) OVER {w} AS DOUBLE)",
    "last": "(max({{'t': t, 'u': {u}}}) FILTER (WHERE {u} IS NOT NULL) OVER {w}).u",
    "lag": "((max({{'t': t, 'u': {u}}}, {back}) FILTER (WHERE {u} IS NOT NULL) OVER {w})[{back}]).u",
    "ratio": "{o} / nullif(sum({v}) OVER {w} / nullif(count({v}) OVER {w}, 0), 0)",
    "trend": (
        "CASE WHEN max(t) FILTER (WHERE {v} IS NOT NULL) OVER {w} > min(t) FILTER (WHERE {v} IS NOT NULL) OVER {w} "
        f"THEN {HOUR_MS} * regr_slope({{v}}, t - (SELECT min(t) FROM {{facts}})) OVER {{w}} END"
    ),
}


def _rows(specs: Sequence[Window], schema: ModelSchema) -> str:
    columns = dict.fromkeys(column for spec in specs for column in spec.by)
    keys = "".join(f", {_key(column, schema)} AS {_quoted(f'k_{column}')}" for column in columns)
    keys += "".join(f", {_number(column)} AS {_quoted(f'o_{column}')}" for column in _owned(specs))
    return f"rows_ AS MATERIALIZED (SELECT row, greatest(0, least(CAST(time_ms AS BIGINT), {END_MS})) AS t{keys} FROM rows)"


def _owned(specs: Sequence[Window]) -> list[str]:
    return list(dict.fromkeys(column for spec in specs for column in own_columns(spec)))


def _key(column: str, schema: ModelSchema) -> str:
    if schema.column(column).kind == "category":
        return f"CAST({_quoted(column)} AS VARCHAR)"
    number = f"CAST({_quoted(column)} AS DOUBLE)"
    return f"CASE WHEN isfinite({number}) THEN {number} + 0.0 END"  # + 0.0 turns -0.0 into 0.0


def _number(column: str) -> str:
    number = f"CAST({_quoted(column)} AS DOUBLE)"
    return f"CASE WHEN abs({number}) < {SMALLEST_VALUE!r} THEN 0.0 WHEN abs({number}) <= {LARGEST_VALUE!r} THEN {number} END"


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
