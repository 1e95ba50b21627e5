"""Real, tiny bundles: a small XGBoost forest over generated rows, exported the way the skills export."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxmltools
import onnxruntime as ort
import pyarrow as pa
import xgboost
from numpy.typing import NDArray
from onnx import ModelProto
from onnxmltools.convert.common.data_types import FloatTensorType

from streams.contracts.bundle import Golden, Manifest, NumberProfile, Profile
from streams.contracts.features import Expression, Window
from streams.contracts.schema import Column, ModelSchema
from streams.inference import session
from streams.inference.graph import Calibration, preprocessing_graph, with_trees
from streams.inference.store import BundleStore, write_bundle

SCHEMA = ModelSchema(
    columns=(
        Column(name="weight", kind="number"),
        Column(name="distance", kind="number"),
        Column(name="colour", kind="category"),
        Column(name="owner", kind="category", role="key"),
        Column(name="note", kind="category", role="ignored"),
    )
)
CATEGORIES = {"colour": ("blue", "green", "red")}
EXPRESSIONS = (Expression(name="per_km", text="weight / distance"), Expression(name="at_hour", text="hour(time)"))
START_MS = 1_700_000_000_000


def rows_of(count: int, seed: int = 0, schema: ModelSchema = SCHEMA) -> dict[str, list[Any]]:
    """Make rows of the schema as columns: some numbers and categories missing, some categories unseen."""
    rng = np.random.default_rng(seed)
    columns: dict[str, list[Any]] = {}
    for column in schema.columns:
        absent = rng.random(count) < 0.1
        if column.kind == "number":
            values: list[Any] = [float(value) for value in rng.normal(size=count).astype(np.float32)]
        else:
            values = [str(value) for value in rng.choice(["blue", "green", "red", "unseen"], size=count)]
        columns[column.name] = [None if gone else value for value, gone in zip(values, absent, strict=True)]
    return columns


def matrix_of(preprocessing: ModelProto, rows: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Run a preprocessing graph."""
    runtime = ort.InferenceSession(preprocessing.SerializeToString(), providers=["CPUExecutionProvider"])
    return runtime.run(["matrix"], dict(rows))[0]


def feeds_of(
    columns: Mapping[str, Sequence[Any]],
    windows: Mapping[str, Sequence[Any]],
    time_ms: Sequence[int],
    graph: ModelProto,
    schema: ModelSchema,
):
    """Turn columns into the inputs that a graph has."""
    feeds = {
        "numbers": lambda: session._numbers(columns, schema.numbers),
        "categories": lambda: session._strings(columns, schema.categories),
        "windows": lambda: session._numbers(windows, tuple(windows)),
        "time": lambda: np.asarray(time_ms, np.int64),
    }
    return {value.name: feeds[value.name]() for value in graph.graph.input}


def converted(booster: xgboost.Booster, features: int) -> ModelProto:
    """Convert a booster with onnxmltools."""
    with contextlib.redirect_stdout(io.StringIO()):
        return onnxmltools.convert_xgboost(booster, initial_types=[("x", FloatTensorType([None, features]))], target_opset=15)


def number_profile(values: Sequence[float | None]) -> NumberProfile:
    """Profile the known values on deciles."""
    known = np.array([value for value in values if value is not None], float)
    edges = [float(edge) for edge in np.quantile(known, np.linspace(0.1, 0.9, 9))]
    return NumberProfile(
        edges=edges,
        shares=[0.1] * 10,
        missing=1 - len(known) / len(values),
        low=float(known.min()),
        high=float(known.max()),
        sample=sorted(map(float, known[:50])),
    )


def make_bundle(
    root: Path,
    *,
    model: str = "toys",
    schema: ModelSchema = SCHEMA,
    windows: Sequence[Window] = (),
    expressions: Sequence[Expression] = EXPRESSIONS,
    seed: int = 0,
    skew_ms: int = 60_000,
    calibration: Calibration | None = None,
    trees: int = 8,
    depth: int = 3,
    count: int = 400,
) -> str:
    """Train on `count` generated rows, export and publish into the store at `root`; return the digest. A seed, an answer."""
    rng = np.random.default_rng(seed)
    columns = rows_of(count, seed, schema)
    past = {window.name: [float(value) for value in rng.integers(0, 9, count)] for window in windows}
    time_ms = [START_MS + index * 977_000 for index in range(count)]
    known = dict.fromkeys(schema.categories, CATEGORIES["colour"])
    before = preprocessing_graph(schema, windows, expressions, known)
    matrix = matrix_of(before, feeds_of(columns, past, time_ms, before, schema))
    truth = np.nansum(matrix * rng.normal(size=matrix.shape[1]), axis=1)
    truth = truth if schema.task == "regression" else (truth > np.median(truth)).astype(float)
    objective = {"binary": "binary:logistic", "regression": "reg:squarederror"}[schema.task]
    booster = xgboost.train(
        {"objective": objective, "max_depth": depth, "nthread": 1, "seed": seed},
        xgboost.DMatrix(matrix, truth),
        num_boost_round=trees,
    )
    whole = with_trees(before, converted(booster, matrix.shape[1]), schema.task, calibration)
    runtime = ort.InferenceSession(whole.SerializeToString(), providers=["CPUExecutionProvider"])
    scores = runtime.run(["score"], feeds_of(columns, past, time_ms, whole, schema))[0]
    golden = Golden(
        columns=[{c.name: columns[c.name][row] for c in schema.features} for row in range(20)],
        windows=[{name: past[name][row] for name in past} for row in range(20)],
        time_ms=time_ms[:20],
        scores=[float(score) for score in scores[:20]],
    )
    manifest = Manifest(
        model=model, schema=schema, windows=tuple(windows), expressions=tuple(expressions), skew_ms=skew_ms, golden=golden
    )
    profile = Profile(
        rows=count,
        numbers={name: number_profile(columns[name]) for name in schema.numbers},
        score=number_profile([float(score) for score in scores]),
        label_mean=float(truth.mean()),
        loss_mean=0.5,
        loss_std=0.1,
    )
    folder = root.parent / f"bundle-{seed}-{len(windows)}-{schema.task}-{trees}"
    write_bundle(folder, manifest, whole, pa.table({name: columns[name] for name in schema.numbers}), profile)
    return BundleStore(root).publish(model, folder)
