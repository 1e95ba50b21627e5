"""Expression trees to ONNX nodes. Every value is a float32 tensor [rows, 1]; missing is NaN.

The nodes come from opset 17 and are exactly what `streams.features.expressions` promises: a result without a finite value is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from streams.features.tree import COMPARISONS, Call, Member, Name, Number, TimePart, Tree

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ML_DOMAIN = "ai.onnx.ml"
# 1970-01-01 was a Thursday; Monday is 0.
_EPOCH_WEEKDAY = 3
# From the 1st of March of the year 0, in whose era of 400 years all leap days come at the same places.
_DAYS_BEFORE_1970 = 719_468
_DAYS_OF_400_YEARS = 146_097

# Truths are 1 and 0, so `and` is their product and `or` their maximum; a missing one makes both missing.
_ARITHMETIC = {"+": "Add", "-": "Sub", "*": "Mul", "min": "Min", "max": "Max", "and": "Mul", "or": "Max"}
_COMPARE = {"<": "Less", "<=": "LessOrEqual", ">": "Greater", ">=": "GreaterOrEqual", "==": "Equal", "!=": "Equal"}


class Nodes:
    """Collects the nodes and constants of one graph under unique names, which begin with `prefix`."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: object) -> str:
        """Append a node with one output; return the output's name."""
        output = f"{self._prefix}v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], domain=domain, **attributes))
        return output

    def constant(self, value: object, dtype: type[np.generic]) -> str:
        """Return the name of a constant tensor, shared between equal ones."""
        array = np.asarray(value, dtype)
        name = f"c_{array.dtype}_{'x'.join(map(str, array.shape))}_{array.tobytes().hex()}"
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def number(self, value: float) -> str:
        """Return the name of a float32 scalar constant."""
        return self.constant(value, np.float32)


def emit(nodes: Nodes, tree: Tree, columns: Mapping[str, str], rows: str) -> str:
    """Append the nodes of a tree; return the name of its tensor [rows, 1].

    `columns` names the tensor [rows, 1] of each column and window, of text for a category; `rows` is any float tensor [rows, 1],
    which gives a constant its shape. The graph's input `time` is read by the parts of the time.
    """
    if isinstance(tree, Number):
        return nodes.add("Expand", nodes.number(tree.value), nodes.add("Shape", rows))
    if isinstance(tree, Name):
        return columns[tree.name] if tree.kind == "number" else _encoded(nodes, columns[tree.name], {})
    if isinstance(tree, Member):
        return _encoded(nodes, columns[tree.name], dict.fromkeys(tree.values, 1.0))
    if isinstance(tree, TimePart):
        return _time_part(nodes, tree.part)
    return _call(nodes, tree, [emit(nodes, argument, columns, rows) for argument in tree.arguments])


def _call(nodes: Nodes, tree: Call, values: list[str]) -> str:
    name = tree.function
    if name in _ARITHMETIC:
        return _finite(nodes, nodes.add(_ARITHMETIC[name], *values))
    if name in COMPARISONS:
        return _comparison(nodes, name, *values)
    if name == "bucket":
        return _bucket(nodes, *values)
    return _FUNCTIONS[name](nodes, *values)


def _finite(nodes: Nodes, value: str) -> str:
    return nodes.add("Where", nodes.add("IsInf", value), nodes.number(np.nan), value)


def _division(nodes: Nodes, above: str, below: str) -> str:
    by_zero = nodes.add("Equal", below, nodes.number(0.0))
    return _finite(nodes, nodes.add("Where", by_zero, nodes.number(np.nan), nodes.add("Div", above, below)))


def _comparison(nodes: Nodes, sign: str, left: str, right: str) -> str:
    truth = nodes.add(_COMPARE[sign], left, right)
    if sign == "!=":
        truth = nodes.add("Not", truth)
    missing = nodes.add("Or", nodes.add("IsNaN", left), nodes.add("IsNaN", right))
    return nodes.add("Where", missing, nodes.number(np.nan), nodes.add("Cast", truth, to=TensorProto.FLOAT))


def _log1p(nodes: Nodes, value: str) -> str:
    return _finite(nodes, nodes.add("Log", nodes.add("Add", nodes.number(1.0), value)))


def _clip(nodes: Nodes, value: str, low: str, high: str) -> str:
    return nodes.add("Min", nodes.add("Max", value, low), high)


def _is_missing(nodes: Nodes, value: str) -> str:
    return nodes.add("Cast", nodes.add("IsNaN", value), to=TensorProto.FLOAT)


def _if_missing(nodes: Nodes, value: str, other: str) -> str:
    return nodes.add("Where", nodes.add("IsNaN", value), other, value)


def _encoded(nodes: Nodes, column: str, known: Mapping[str, float]) -> str:
    """A category's number, 0 where it has none; missing where it is empty."""
    codes = {**known, "": float("nan")}
    return nodes.add(
        "LabelEncoder", column, domain=ML_DOMAIN, keys_strings=list(codes), values_floats=list(codes.values()), default_float=0.0
    )


def _bucket(nodes: Nodes, value: str, *edges: str) -> str:
    reached = [nodes.add("Cast", nodes.add("GreaterOrEqual", value, edge), to=TensorProto.FLOAT) for edge in edges]
    count = nodes.add("Sum", *reached)
    return nodes.add("Where", nodes.add("IsNaN", value), nodes.number(np.nan), count)


def _time_part(nodes: Nodes, part: str) -> str:
    if part == "hour":
        index = _modulo(nodes, _whole(nodes, "time", HOUR_MS), 24)
    elif part == "weekday":
        index = _modulo(nodes, _plus(nodes, _whole(nodes, "time", DAY_MS), _EPOCH_WEEKDAY), 7)
    else:
        index = _day_or_month(nodes, part)
    return nodes.add("Reshape", nodes.add("Cast", index, to=TensorProto.FLOAT), nodes.constant([-1, 1], np.int64))


def _day_or_month(nodes: Nodes, part: str) -> str:
    """Count in years that begin in March: leap days come last (H. Hinnant, chrono-Compatible Low-Level Date Algorithms, 2013)."""
    days = _plus(nodes, _whole(nodes, "time", DAY_MS), _DAYS_BEFORE_1970)
    of_era = _modulo(nodes, days, _DAYS_OF_400_YEARS)
    # Without the leap days before it, a day's year is its 365th part.
    fours, centuries, eras = (_whole(nodes, of_era, days) for days in (1_460, 36_524, 146_096))
    year = _whole(nodes, _sum(nodes, (1, of_era), (-1, fours), (1, centuries), (-1, eras)), 365)
    of_year = _sum(nodes, (1, of_era), (-365, year), (-1, _whole(nodes, year, 4)), (1, _whole(nodes, year, 100)))
    # Five months from March on have 153 days.
    month = _whole(nodes, _plus(nodes, _times(nodes, of_year, 5), 2), 153)
    if part == "month":
        return _plus(nodes, _modulo(nodes, _plus(nodes, month, 2), 12), 1)
    before = _whole(nodes, _plus(nodes, _times(nodes, month, 153), 2), 5)
    return _plus(nodes, _sum(nodes, (1, of_year), (-1, before)), 1)


def _whole(nodes: Nodes, value: str, size: int) -> str:
    """Whole parts, rounded down: exact before 1970 too, as Mod takes the divisor's sign."""
    by = nodes.constant(size, np.int64)
    return nodes.add("Div", nodes.add("Sub", value, nodes.add("Mod", value, by)), by)


def _modulo(nodes: Nodes, value: str, size: int) -> str:
    return nodes.add("Mod", value, nodes.constant(size, np.int64))


def _plus(nodes: Nodes, value: str, more: int) -> str:
    return nodes.add("Add", value, nodes.constant(more, np.int64))


def _times(nodes: Nodes, value: str, factor: int) -> str:
    return value if factor == 1 else nodes.add("Mul", value, nodes.constant(factor, np.int64))


def _sum(nodes: Nodes, *parts: tuple[int, str]) -> str:
    """Whole numbers, each times its factor."""
    total = _times(nodes, parts[0][1], parts[0][0])
    for factor, value in parts[1:]:
        total = nodes.add("Add", total, _times(nodes, value, factor))
    return total


_FUNCTIONS: dict[str, Callable[..., str]] = {
    "/": _division,
    "neg": lambda nodes, value: nodes.add("Neg", value),
    "abs": lambda nodes, value: nodes.add("Abs", value),
    "sqrt": lambda nodes, value: nodes.add("Sqrt", value),
    "log": lambda nodes, value: _finite(nodes, nodes.add("Log", value)),
    "log1p": _log1p,
    "not": lambda nodes, value: nodes.add("Sub", nodes.number(1.0), value),
    "clip": _clip,
    "is_missing": _is_missing,
    "if_missing": _if_missing,
}
