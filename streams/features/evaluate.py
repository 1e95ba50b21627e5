"""Formulas over columns, in numpy: what filters of facts are tested with. Float64, missing is NaN."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streams.features.tree import COMPARISONS, Call, Member, Name, Number, TimePart, Tree

Floats = NDArray[np.float64]

_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000


class Columns(Protocol):
    """Columns by name: numbers as float64 [rows] with NaN where missing, categories as sequences of text with None."""

    def __getitem__(self, name: str) -> Any:
        """Return a column."""
        ...


def evaluate(tree: Tree, columns: Columns, time_ms: NDArray[np.int64]) -> Floats:
    """Return the value for each row, float64 [rows]; truths are 1 and 0.

    Args:
        tree: the formula.
        columns: what it reads.
        time_ms: each row's time.
    """
    with np.errstate(all="ignore"):
        return np.broadcast_to(_value(tree, columns, time_ms), time_ms.shape)


def holds(tree: Tree, columns: Columns, time_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for which rows a filter is true; it isn't where something is missing."""
    return evaluate(tree, columns, time_ms) > 0


def _value(tree: Tree, columns: Columns, time_ms: NDArray[np.int64]) -> Any:
    """Values [rows], or one for all rows."""
    if isinstance(tree, Number):
        return np.float64(tree.value)
    if isinstance(tree, Name):
        return columns[tree.name] if tree.kind == "number" else _present(columns[tree.name])
    if isinstance(tree, TimePart):
        return _TIME_PARTS[tree.part](time_ms)
    if isinstance(tree, Member):
        wanted = dict.fromkeys(tree.values, 1.0)
        texts: Sequence[str | None] = columns[tree.name]
        return np.fromiter(
            (np.nan if _is_absent(text) else wanted.get(text or "", 0.0) for text in texts), np.float64, len(texts)
        )
    return _called(tree, [_value(argument, columns, time_ms) for argument in tree.arguments])


def _called(tree: Call, values: list[Any]) -> Floats:
    name = tree.function
    if name in COMPARISONS:
        truth = _COMPARE[name](*values)
        return np.where(np.isnan(values[0]) | np.isnan(values[1]), np.nan, truth)
    found = _FUNCTIONS[name](*values)
    return np.where(np.isinf(found), np.nan, found)


def _present(texts: Sequence[str | None]) -> Floats:
    """A category below `is_missing`: NaN where it is."""
    return np.fromiter((np.nan if _is_absent(text) else 0.0 for text in texts), np.float64, len(texts))


def _is_absent(text: str | None) -> bool:
    return text is None or text == ""


def _divided(above: Floats, below: Floats) -> Floats:
    return np.where(below == 0, np.nan, above / np.where(below == 0, np.nan, below))


def _bucket(value: Floats, *edges: Floats) -> Floats:
    return np.where(np.isnan(value), np.nan, sum((value >= edge).astype(np.float64) for edge in edges))


def _days(time_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    return time_ms // _DAY_MS


def _month(time_ms: NDArray[np.int64]) -> Floats:
    months = _days(time_ms).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return (months % 12 + 1).astype(np.float64)


def _day(time_ms: NDArray[np.int64]) -> Floats:
    days = _days(time_ms).astype("datetime64[D]")
    first = days.astype("datetime64[M]").astype("datetime64[D]")
    return (days - first).astype(np.int64).astype(np.float64) + 1


_COMPARE: dict[str, Callable[..., Any]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": _divided,
    "neg": np.negative,
    "and": np.multiply,
    "or": np.maximum,
    "not": lambda value: 1.0 - value,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "log": np.log,
    "log1p": lambda value: np.log(1.0 + value),
    "min": np.minimum,
    "max": np.maximum,
    "clip": lambda value, low, high: np.minimum(np.maximum(value, low), high),
    "bucket": _bucket,
    "is_missing": lambda value: np.isnan(value).astype(np.float64),
    "if_missing": lambda value, other: np.where(np.isnan(value), other, value),
}
_TIME_PARTS: dict[str, Callable[[NDArray[np.int64]], Floats]] = {
    "hour": lambda time_ms: (time_ms % _DAY_MS // _HOUR_MS).astype(np.float64),
    "weekday": lambda time_ms: ((_days(time_ms) + 3) % 7).astype(np.float64),  # 1970-01-01 was a Thursday
    "day": _day,
    "month": _month,
}
