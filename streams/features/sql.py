"""Formulas in DuckDB's SQL: what filters of facts are in a window's statement. Missing is NULL."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from streams.features.tree import COMPARISONS, Call, Member, Name, Number, TimePart, Tree

_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
_EPOCH_WEEKDAY = 3


def compiled(tree: Tree, columns: Mapping[str, str], time: str) -> str:
    """Return the SQL of a formula, a DOUBLE; truths are 1 and 0.

    Args:
        tree: the formula.
        columns: the SQL of each column by name: a finite DOUBLE or NULL, or a VARCHAR.
        time: the SQL of the time, a BIGINT of milliseconds that isn't negative.
    """
    if isinstance(tree, Number):
        return f"CAST({tree.value!r} AS DOUBLE)"
    if isinstance(tree, Name):
        return columns[tree.name] if tree.kind == "number" else f"(CASE WHEN {columns[tree.name]} <> '' THEN 0.0 END)"
    if isinstance(tree, TimePart):
        return _TIME_PARTS[tree.part](time)
    if isinstance(tree, Member):
        text = columns[tree.name]
        among = ", ".join("'" + value.replace("'", "''") + "'" for value in tree.values)
        return f"(CASE WHEN {text} <> '' THEN CAST({text} IN ({among}) AS DOUBLE) END)"
    values = [compiled(argument, columns, time) for argument in tree.arguments]
    return _finite(_called(tree, values))


def _called(tree: Call, values: list[str]) -> str:
    if tree.function in COMPARISONS:
        sign = {"==": "=", "!=": "<>"}.get(tree.function, tree.function)
        return f"CAST({values[0]} {sign} {values[1]} AS DOUBLE)"
    if tree.function == "bucket":
        return _let(values[0], " + ".join(f"CAST(x >= {edge} AS DOUBLE)" for edge in values[1:]))
    return _FUNCTIONS[tree.function](*values)


def _let(value: str, body: str) -> str:
    """Call a value x, so that a body can read it twice: written twice, a statement would double at each level of a formula."""
    return f"list_transform([{value}], lambda x: {body})[1]"


def _finite(value: str) -> str:
    return _let(value, "CASE WHEN isfinite(x) THEN x END")


def _both(body: str) -> Callable[[str, str], str]:
    """Call two values x and y. They stand outside of the body, where a column may have such a name."""
    return lambda x, y: f"list_reduce([{x}, {y}], lambda x, y: {body})"


_least = _both("CASE WHEN x < y THEN x WHEN x >= y THEN y END")
_greatest = _both("CASE WHEN x > y THEN x WHEN x <= y THEN y END")
_FUNCTIONS: dict[str, Callable[..., str]] = {
    "+": lambda x, y: f"({x} + {y})",
    "-": lambda x, y: f"({x} - {y})",
    "*": lambda x, y: f"({x} * {y})",
    "/": _both("x / CASE WHEN y <> 0 THEN y END"),
    "neg": lambda x: f"(-{x})",
    "and": lambda x, y: f"({x} * {y})",
    "or": _greatest,
    "not": lambda x: f"(1.0 - {x})",
    "abs": lambda x: f"abs({x})",
    "sqrt": lambda x: _let(x, "CASE WHEN x >= 0 THEN sqrt(x) END"),
    "log": lambda x: _let(x, "CASE WHEN x > 0 THEN ln(x) END"),
    "log1p": lambda x: _let(f"1.0 + {x}", "CASE WHEN x > 0 THEN ln(x) END"),
    "min": _least,
    "max": _greatest,
    "clip": lambda x, low, high: _least(_greatest(x, low), high),
    "is_missing": lambda x: f"CAST({x} IS NULL AS DOUBLE)",
    "if_missing": lambda x, y: f"coalesce({x}, {y})",
}
_TIME_PARTS: dict[str, Callable[[str], str]] = {
    "hour": lambda time: f"CAST({time} % {_DAY_MS} // {_HOUR_MS} AS DOUBLE)",
    "weekday": lambda time: f"CAST(({time} // {_DAY_MS} + {_EPOCH_WEEKDAY}) % 7 AS DOUBLE)",
    "day": lambda time: f"CAST(extract('day' FROM make_timestamp({time} * 1000)) AS DOUBLE)",
    "month": lambda time: f"CAST(extract('month' FROM make_timestamp({time} * 1000)) AS DOUBLE)",
}
