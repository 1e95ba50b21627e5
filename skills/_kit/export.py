"""From a booster to a bundle's graph, and the proof that both say the same."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import pyarrow as pa
import xgboost

from skills._kit.boosting import predict, trees_of
from skills._kit.design import order_of_codes
from skills._kit.errors import ParityError
from skills._kit.frames import Booleans, Floats, Singles, codes, column_of, floats, integers, pylist
from skills._kit.scoring import Inputs, rows_of
from streams.contracts.bundle import Golden, Manifest
from streams.contracts.schema import ModelSchema
from streams.inference.graph import preprocessing_graph, with_trees
from streams.inference.session import feature_matrix

GOLDEN_ROWS = 20
TOLERANCE = 1e-5
_LIBRARIES = ("xgboost", "onnx", "onnxmltools", "onnxruntime", "numpy", "pyarrow")


def categories_of(schema: ModelSchema, table: pa.Table, learning: Booleans) -> dict[str, list[str]]:
    """Return each categorical feature's values ordered by mean label among the learning rows; rare ones are left out."""
    labels = floats(table, "label")
    ordered: dict[str, list[str]] = {}
    for name in schema.categories:
        values, texts = codes(column_of(table, name))
        ranks = order_of_codes(values, labels, learning)[:-1]
        ordered[name] = [
            str(texts[code]) for code in np.argsort(ranks, kind="stable") if np.isfinite(ranks[code]) and texts[code]
        ]
    return ordered


def matrix_of(inputs: Inputs, categories: Mapping[str, Sequence[str]], table: pa.Table) -> tuple[onnx.ModelProto, Singles]:
    """Return the preprocessing graph and what it makes of the rows, float32 [rows, features]: serving runs the same."""
    graph = preprocessing_graph(inputs.schema, inputs.windows, inputs.expressions, categories)
    columns, values = rows_of(inputs, table)
    times = integers(table, "time_ms").tolist()
    return graph, feature_matrix(graph, inputs.schema, inputs.windows, columns=columns, values=values, time_ms=times)


def merged(graph: onnx.ModelProto, booster: xgboost.Booster, inputs: Inputs, features: int) -> onnx.ModelProto:
    """Put the booster's trees behind the preprocessing graph."""
    return with_trees(graph, trees_of(booster, features), inputs.schema.task)


def largest_difference(booster: xgboost.Booster, matrix: Singles, scores: Floats) -> float:
    """Return the largest difference between booster and graph, in units of max(1, |score|, the scores' standard deviation).

    Both add up leaves in single precision, in another order: where leaves in the hundreds add up to a score near 0, the error
    is that of the leaves, not of the score.

    Raises:
        ParityError: it is above `TOLERANCE`.
    """
    expected = predict(booster, matrix)
    unit = np.maximum(np.abs(expected), max(1.0, float(expected.std()) if len(expected) else 1.0))
    apart = float((np.abs(scores - expected) / unit).max(initial=0.0))
    if not apart <= TOLERANCE:
        raise ParityError(f"graph and booster differ by up to {apart:.3g}, allowed is {TOLERANCE:g}")
    return apart


def golden_rows(table: pa.Table) -> pa.Table:
    """Pick the rows that a loaded session must answer alike: spread evenly over time."""
    return table.take(pa.array(np.linspace(0, table.num_rows - 1, min(GOLDEN_ROWS, table.num_rows)).astype(np.int64)))


def golden_of(inputs: Inputs, rows: pa.Table, scores: Sequence[float]) -> Golden:
    """Write rows and their scores down for the manifest."""
    columns = {column.name: pylist(rows, column.name, column.kind) for column in inputs.schema.features}
    values = {window.name: pylist(rows, window.name, "number") for window in inputs.windows}
    return Golden(
        columns=[{name: columns[name][row] for name in columns} for row in range(rows.num_rows)],
        windows=[{name: _number(values[name][row]) for name in values} for row in range(rows.num_rows)],
        time_ms=integers(rows, "time_ms").tolist(),
        scores=list(scores),
    )


def _number(value: float | str | None) -> float | None:
    return None if value is None else float(value)


def libraries() -> dict[str, str]:
    """Return the versions of the libraries that made a bundle, for its lineage."""
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


def draft(model: str, inputs: Inputs, skew_ms: int, golden: Golden) -> Manifest:
    """Return a manifest without metrics and lineage, enough to open the graph."""
    return Manifest(
        model=model,
        schema=inputs.schema,
        windows=inputs.windows,
        expressions=inputs.expressions,
        skew_ms=skew_ms,
        golden=golden,
    )
