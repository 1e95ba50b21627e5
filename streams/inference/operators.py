"""Expression trees to ONNX nodes. Every value is a float32 tensor [rows, 1]; missing is NaN.

The nodes come from opset 17 and are exactly what `expressions` promises: a result without a finite value is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from streams.inference.expressions import COMPARISONS, Call, Name, Number, TimePart, Tree

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
# 1970-01-01 was a Thursday; Monday is 0.
_EPOCH_WEEKDAY = 3

_ARITHMETIC = {"+": "Add", "-": "Sub", "*": "Mul", "min": "Min", "max": "Max"}
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

    `columns` names the tensor [rows, 1] of each column and window; `rows` is any float tensor [rows, 1], which gives
    a constant its shape. The graph's input `time` is read by `hour` and `weekday`.
    """
    if isinstance(tree, Number):
        return nodes.add("Expand", nodes.number(tree.value), nodes.add("Shape", rows))
    if isinstance(tree, Name):
        return columns[tree.name]
    if isinstance(tree, TimePart):
        return _time_part(nodes, tree.part)
    return _call(nodes, tree, [emit(nodes, argument, columns, rows) for argument in tree.arguments])


def _call(nodes: Nodes, tree: Call, values: list[str]) -> str:
    name = tree.function
    if name in _ARITHMETIC:
        return _finite(nodes, nodes.add(_ARITHMETIC[name], *values))
    if name in COMPARISONS:
        return _comparison(nodes, name, *values)
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


def _time_part(nodes: Nodes, part: str) -> str:
    """Whole hours or days since 1970, modulo a day or a week; exact before 1970 too, as Mod takes the divisor's sign."""
    size, count, shift = (HOUR_MS, 24, 0) if part == "hour" else (DAY_MS, 7, _EPOCH_WEEKDAY)
    unit = nodes.constant(size, np.int64)
    whole = nodes.add("Div", nodes.add("Sub", "time", nodes.add("Mod", "time", unit)), unit)
    index = nodes.add("Mod", nodes.add("Add", whole, nodes.constant(shift, np.int64)), nodes.constant(count, np.int64))
    return nodes.add("Reshape", nodes.add("Cast", index, to=TensorProto.FLOAT), nodes.constant([-1, 1], np.int64))


_FUNCTIONS: dict[str, Callable[..., str]] = {
    "/": _division,
    "neg": lambda nodes, value: nodes.add("Neg", value),
    "abs": lambda nodes, value: nodes.add("Abs", value),
    "sqrt": lambda nodes, value: nodes.add("Sqrt", value),
    "log1p": _log1p,
    "clip": _clip,
    "is_missing": _is_missing,
    "if_missing": _if_missing,
}
