"""A bundle's graph: columns, windows and time in, one score per row out (the contract is `streams/contracts/bundle.py`).

Two steps, so that training sees exactly what serving computes: `preprocessing_graph` turns a row into one float32 row of
the feature matrix; `with_trees` puts already converted XGBoost trees (and a calibration) behind it.

The matrix holds numbers, categories, windows and expressions, in this order (`feature_names`). A category becomes its
position in the list the trainer gives (so the trainer may put a meaning into the order); a category that isn't in the list
is missing, like a null: NaN, which goes the way XGBoost learned for missing values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from streams.contracts.errors import ContractError
from streams.contracts.features import Expression, Window
from streams.contracts.schema import Kind, ModelSchema, Task
from streams.features.expressions import parse
from streams.features.tree import Tree, names_in, reads_time
from streams.features.units import units_of
from streams.inference.operators import ML_DOMAIN, Nodes, emit

OPSET = 17
ML_OPSET = 3
# The oldest file format with these opsets, so that other runtimes read our bundles too.
IR_VERSION = 8
MATRIX = "matrix"
SCORE = "score"

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
# Probabilities are kept this far from 0 and 1 before the logarithm of a calibration.
_EDGE = 1e-7


class Calibration(NamedTuple):
    """Platt scaling: probability = sigmoid(slope * logit(p) + intercept) (J. Platt, 1999)."""

    slope: float
    intercept: float


def feature_names(schema: ModelSchema, windows: Sequence[Window], expressions: Sequence[Expression]) -> tuple[str, ...]:
    """Name the columns of the feature matrix, in order."""
    return (*schema.numbers, *schema.categories, *(w.name for w in windows), *(e.name for e in expressions))


def input_names(schema: ModelSchema, windows: Sequence[Window], expressions: Sequence[Expression]) -> tuple[str, ...]:
    """Name the inputs that the graph of such a bundle has.

    Raises:
        ContractError: an expression can't be parsed.
    """
    trees = expression_trees(schema, windows, expressions).values()
    present = {
        "numbers": bool(schema.numbers),
        "categories": bool(schema.categories),
        "windows": bool(windows),
        "time": any(reads_time(tree) for tree in trees),
    }
    return tuple(name for name, is_there in present.items() if is_there)


def preprocessing_graph(
    schema: ModelSchema,
    windows: Sequence[Window],
    expressions: Sequence[Expression],
    categories: Mapping[str, Sequence[str]],
) -> ModelProto:
    """Build the graph from a row's columns to the output `matrix`, float32 [rows, features].

    `categories` gives the known categories of each categorical feature column, at most once each; the empty string
    always means missing.

    Raises:
        ContractError: a spec doesn't fit the schema, a name is used twice, or the categories of a column are missing or doubled.
    """
    for window in windows:
        window.check(schema)
    _check_names(schema, windows, expressions)
    nodes = Nodes()
    parts: dict[str, str] = {}
    for source, names in (("numbers", schema.numbers), ("windows", [w.name for w in windows])):
        for index, name in enumerate(names):
            parts[name] = nodes.add("Gather", source, nodes.constant([index], np.int64), axis=1)
    readable = dict(parts)
    for index, name in enumerate(schema.categories):
        readable[name] = nodes.add("Gather", "categories", nodes.constant([index], np.int64), axis=1)
        parts[name] = _codes(nodes, readable[name], name, categories)
    rows = next(iter(parts.values()))
    trees = expression_trees(schema, windows, expressions)
    parts |= {name: emit(nodes, tree, readable, rows) for name, tree in trees.items()}
    ordered = [parts[name] for name in feature_names(schema, windows, expressions)]
    nodes.nodes.append(helper.make_node("Concat", ordered, [MATRIX], axis=1))
    inputs = [_input(name, schema, windows) for name in input_names(schema, windows, expressions)]
    output = helper.make_tensor_value_info(MATRIX, TensorProto.FLOAT, ["rows", len(ordered)])
    return _model(nodes, inputs, output)


def with_trees(preprocessing: ModelProto, trees: ModelProto, task: Task, calibration: Calibration | None = None) -> ModelProto:
    """Put converted trees behind a preprocessing graph; the result has the one output `score`, float32 [rows].

    `trees` is what a converter makes of an XGBoost booster: one input [rows, features] and, for `binary`, probabilities
    [rows, 2] as the last output, for `regression` a value [rows, 1].

    Raises:
        ContractError: the trees have another number of inputs or an unexpected node, or a regression is calibrated.
    """
    if len(trees.graph.input) != 1 or trees.graph.initializer:
        raise ContractError("trees: expected one input and no constants; convert the booster alone")
    if task == "regression" and calibration is not None:
        raise ContractError("calibration is for probabilities; a regression has none")
    nodes = Nodes("t_")
    value = nodes.add("Gather", _behind(nodes, trees), nodes.constant(1 if task == "binary" else 0, np.int64), axis=1)
    if calibration is not None:
        value = _calibrated(nodes, value, calibration)
    nodes.nodes.append(helper.make_node("Identity", [value], [SCORE]))
    output = helper.make_tensor_value_info(SCORE, TensorProto.FLOAT, ["rows"])
    nodes.nodes[:0] = preprocessing.graph.node
    nodes.constants |= {constant.name: constant for constant in preprocessing.graph.initializer}
    return _model(nodes, list(preprocessing.graph.input), output)


def expression_trees(schema: ModelSchema, windows: Sequence[Window], expressions: Sequence[Expression]) -> dict[str, Tree]:
    """Parse a bundle's expressions, by name.

    Raises:
        ContractError: one can't be parsed, or reads what isn't granted.
    """
    kinds: dict[str, Kind] = {column.name: column.kind for column in schema.features}
    kinds |= dict.fromkeys((window.name for window in windows), "number")
    units = units_of(schema, windows)
    trees = {}
    for expression in expressions:
        try:
            trees[expression.name] = parse(expression.text, kinds, units)
            schema.check_granted(names_in(trees[expression.name]), f"formula {expression.text}")
        except ContractError as error:
            raise ContractError(f"{expression.name}: {error}") from error
    return trees


def _check_names(schema: ModelSchema, windows: Sequence[Window], expressions: Sequence[Expression]) -> None:
    for expression in expressions:
        if _IDENTIFIER.fullmatch(expression.name) is None:
            raise ContractError(f"expression name {expression.name!r}: use letters, digits and underscores")
    names = [*(column.name for column in schema.columns), *(w.name for w in windows), *(e.name for e in expressions)]
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        raise ContractError(f"names used twice: {', '.join(sorted(doubled))}")


def _codes(nodes: Nodes, column: str, name: str, categories: Mapping[str, Sequence[str]]) -> str:
    """A category's position in its list; NaN for any other, the empty string included."""
    if name not in categories:
        raise ContractError(f"no categories given for column {name!r}")
    known = list(categories[name])
    if "" in known or len(set(known)) != len(known):
        raise ContractError(f"categories of {name!r}: each must be given once, and the empty string means missing")
    # The encoder needs at least one key; the empty string's answer is the default anyway.
    codes = {**{category: float(code) for code, category in enumerate(known)}, "": float("nan")}
    return nodes.add(
        "LabelEncoder",
        column,
        domain=ML_DOMAIN,
        keys_strings=list(codes),
        values_floats=list(codes.values()),
        default_float=float("nan"),
    )


def _behind(nodes: Nodes, trees: ModelProto) -> str:
    """Append the trees' nodes under new names, reading the matrix; return the name of their last output."""
    renamed = {trees.graph.input[0].name: MATRIX, "": ""}
    for node in trees.graph.node:
        copy = NodeProto()
        copy.CopyFrom(node)
        renamed |= {name: f"trees_{name}" for name in node.output}
        unknown = [name for name in node.input if name not in renamed]
        if unknown:
            raise ContractError(
                f"trees: node {node.op_type} reads {unknown[0]!r}, which is neither the input nor an earlier output"
            )
        copy.input[:] = [renamed[name] for name in node.input]
        copy.output[:] = [renamed[name] for name in node.output]
        nodes.nodes.append(copy)
    return renamed[trees.graph.output[-1].name]


def _calibrated(nodes: Nodes, probability: str, calibration: Calibration) -> str:
    inside = nodes.add("Clip", probability, nodes.number(_EDGE), nodes.number(1.0 - _EDGE))
    odds = nodes.add("Div", inside, nodes.add("Sub", nodes.number(1.0), inside))
    scaled = nodes.add("Mul", nodes.add("Log", odds), nodes.number(calibration.slope))
    return nodes.add("Sigmoid", nodes.add("Add", scaled, nodes.number(calibration.intercept)))


def _input(name: str, schema: ModelSchema, windows: Sequence[Window]) -> ValueInfoProto:
    if name == "time":
        return helper.make_tensor_value_info(name, TensorProto.INT64, ["rows"])
    width = {"numbers": len(schema.numbers), "categories": len(schema.categories), "windows": len(windows)}[name]
    kind = TensorProto.STRING if name == "categories" else TensorProto.FLOAT
    return helper.make_tensor_value_info(name, kind, ["rows", width])


def _model(nodes: Nodes, inputs: list[ValueInfoProto], output: ValueInfoProto) -> ModelProto:
    graph = helper.make_graph(nodes.nodes, "driftwake", inputs, [output], list(nodes.constants.values()))
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML_DOMAIN, ML_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="driftwake")
    model.ir_version = IR_VERSION
    return model
