"""Windows in SQL: specs become one DuckDB statement, point in time, in O(n log n).

Per (source, keys) the facts become running sums over each key's distinct times; a row then finds, with one ASOF join per
distinct bound, the running sums just before its window's two ends, and the window is their difference. There is no range
join, so a year-long window costs what a minute-long one does.

Differences of rounded running sums would lose digits, so running sums are exact: a value is split into its integer part and
its fraction in units of 2**-100, and both are added up as 128-bit integers. That is exact for magnitudes from about 1e-14 to
`LARGEST_VALUE`; below, a value is rounded to a multiple of 2**-100 (8e-31).
"""

from __future__ import annotations

# ruff: noqa: S608 - every identifier is quoted by `_quoted`, every number is ours; no value is ever written into the text
from collections.abc import Sequence

from streams.contracts.features import Source, Window
from streams.contracts.schema import ModelSchema
from streams.windows.facts import END_MS, LARGEST_VALUE, clip_offset, distinct_specs

_FRACTION_BITS = 100
_TIMES = {"requests": "time_ms", "outcomes": "known_ms"}


def compile_windows(specs: Sequence[Window], schema: ModelSchema, skew_ms: int) -> str:
    """Return the statement that computes `specs`.

    It reads three registered tables: `rows(row, time_ms, <key columns>)`, `requests(time_ms, <columns>)` and
    `outcomes(known_ms, <columns>, label)`; a table that no spec needs may be absent. The result has `row` (bigint) and one
    float64 column per distinct spec, called `spec.name`, null where the value is missing, ordered by `row`. Which requests
    are valid is for the caller to say: leave flagged rows out.

    Args:
        specs: the windows; at least one.
        schema: the model's columns, for the types of keys.
        skew_ms: the model's allowed skew.

    Raises:
        ContractError: a spec names a column that the schema lacks, that isn't a number, or whose name is reserved.
    """
    distinct = distinct_specs(specs)
    for spec in distinct:
        spec.check(schema)
    groups: dict[tuple[Source, tuple[str, ...]], list[Window]] = {}
    for spec in distinct:
        groups.setdefault((spec.source, spec.by), []).append(spec)
    parts = [_rows(distinct, schema)]
    for number, group in enumerate(groups.values()):
        parts += _Group(f"g{number}", group, schema, skew_ms).tables()
    columns = ", ".join(f"g{_group_of(spec, groups)}.{_quoted(spec.name)}" for spec in distinct)
    joins = "\n".join(f"JOIN g{number} ON g{number}.row = rows_.row" for number in range(len(groups)))
    return (
        "WITH "
        + ",\n".join(parts)
        + f"\nSELECT rows_.row AS row{', ' if columns else ''}{columns}\nFROM rows_\n{joins}\nORDER BY rows_.row"
    )


class _Group:
    """The common table expressions of all specs over one source by one set of keys."""

    def __init__(self, name: str, specs: Sequence[Window], schema: ModelSchema, skew_ms: int) -> None:
        self.name = name
        self.source = specs[0].source
        self.by = specs[0].by
        self.specs = specs
        self.schema = schema
        self.columns = tuple(dict.fromkeys(spec.column for spec in specs if spec.column is not None))
        self.bounds = {
            spec: (clip_offset((near := clip_offset(spec.delay_ms + skew_ms)) + spec.range_ms), near) for spec in specs
        }

    def tables(self) -> list[str]:
        """Return the facts, their running sums, and the values per row, as `name AS (...)`."""
        return [self._facts(), self._sums(), self._values()]

    def _facts(self) -> str:
        keys = [f"{_key(column, self.schema)} AS {_quoted(f'k_{column}')}" for column in self.by]
        values = [f"{_number(column)} AS v{i}" for i, column in enumerate(self.columns)]
        time = _TIMES[self.source]
        chosen = ", ".join([*keys, f"CAST({time} AS BIGINT) AS t", *values])
        return f"{self.name}_facts AS (SELECT {chosen} FROM {self.source} WHERE {time} >= 0 AND {time} < {END_MS})"

    def _sums(self) -> str:
        keys = [_quoted(f"k_{column}") for column in self.by]
        columns = range(len(self.columns))
        place = ", ".join([*keys, "t"])
        per_time = ", ".join(["count(*) AS n", *(part for i in columns for part in _fixed_point(i))])
        running = ", ".join(
            f"sum({name}) OVER upto AS {name}" for name in ["n", *(f"{kind}{i}" for i in columns for kind in "nwf")]
        )
        present = " AND ".join(f"{key} IS NOT NULL" for key in keys) or "TRUE"
        partition = f"PARTITION BY {', '.join(keys)} " if keys else ""
        per_key_and_time = f"SELECT {place}, {per_time} FROM {self.name}_facts WHERE {present} GROUP BY {place}"
        order = f"{partition}ORDER BY t ROWS UNBOUNDED PRECEDING"
        return f"{self.name}_sums AS (SELECT {place}, {running} FROM ({per_key_and_time}) WINDOW upto AS ({order}))"

    def _values(self) -> str:
        offsets = sorted({offset for bound in self.bounds.values() for offset in bound})
        joins = " ".join(self._join(offset) for offset in offsets)
        values = ", ".join(f"{self._value(spec)} AS {_quoted(spec.name)}" for spec in self.specs)
        return f"{self.name} AS (SELECT rows_.row, {values} FROM rows_ {joins})"

    def _join(self, offset: int) -> str:
        same = "".join(f"rows_.{_quoted(f'k_{column}')} = at{offset}.{_quoted(f'k_{column}')} AND " for column in self.by)
        return f"ASOF LEFT JOIN {self.name}_sums AS at{offset} ON {same}rows_.t - {offset} > at{offset}.t"

    def _value(self, spec: Window) -> str:
        far, near = self.bounds[spec]

        def between(name: str) -> str:
            return f"(coalesce(at{near}.{name}, 0) - coalesce(at{far}.{name}, 0))"

        if spec.column is None:
            value = f"CAST({between('n')} AS DOUBLE)"
        else:
            i = self.columns.index(spec.column)
            value = f"(CAST({between(f'w{i}')} AS DOUBLE) + CAST({between(f'f{i}')} AS DOUBLE) / {2.0**_FRACTION_BITS!r})"
            if spec.aggregate == "mean":
                value = f"{value} / nullif({between(f'n{i}')}, 0)"
        missing = " OR ".join(f"rows_.{_quoted(f'k_{column}')} IS NULL" for column in self.by) or "FALSE"
        return f"CASE WHEN {missing} THEN NULL ELSE {value} END"


def _rows(specs: Sequence[Window], schema: ModelSchema) -> str:
    columns = dict.fromkeys(column for spec in specs for column in spec.by)
    keys = "".join(f", {_key(column, schema)} AS {_quoted(f'k_{column}')}" for column in columns)
    return f"rows_ AS MATERIALIZED (SELECT row, greatest(0, least(CAST(time_ms AS BIGINT), {END_MS})) AS t{keys} FROM rows)"


def _key(column: str, schema: ModelSchema) -> str:
    if schema.column(column).kind == "category":
        return f"CAST({_quoted(column)} AS VARCHAR)"
    number = f"CAST({_quoted(column)} AS DOUBLE)"
    return f"CASE WHEN isfinite({number}) THEN {number} + 0.0 END"  # + 0.0 turns -0.0 into 0.0


def _number(column: str) -> str:
    number = f"CAST({_quoted(column)} AS DOUBLE)"
    return f"CASE WHEN abs({number}) <= {LARGEST_VALUE!r} THEN {number} END"


def _fixed_point(i: int) -> tuple[str, str, str]:
    """Return how many values, and the exact sums of their integer parts and of their fractions."""
    return (
        f"count(v{i}) AS n{i}",
        f"coalesce(sum(CAST(trunc(v{i}) AS HUGEINT)), 0) AS w{i}",
        f"coalesce(sum(CAST((v{i} - trunc(v{i})) * {2.0**_FRACTION_BITS!r} AS HUGEINT)), 0) AS f{i}",
    )


def _group_of(spec: Window, groups: dict[tuple[Source, tuple[str, ...]], list[Window]]) -> int:
    return list(groups).index((spec.source, spec.by))


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
