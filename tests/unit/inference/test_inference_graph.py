"""The whole graph against XGBoost itself: same numbers with missing values, unseen categories, windows and time."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import xgboost
from onnx import helper

from streams.contracts.errors import ContractError
from streams.contracts.features import Expression, Window
from streams.contracts.schema import Column, ModelSchema, Task
from streams.inference.graph import Calibration, feature_names, input_names, preprocessing_graph, with_trees
from tests.kit.bundles import CATEGORIES, EXPRESSIONS, SCHEMA, START_MS, converted, feeds_of, matrix_of, rows_of

WINDOW = Window(aggregate="count", source="requests", by=("owner",), range_ms=3_600_000)
COUNT = 500


def everything() -> tuple[dict, dict, list[int]]:
    columns = rows_of(COUNT, seed=3)
    windows = {WINDOW.name: [None if index % 11 == 0 else float(index % 7) for index in range(COUNT)]}
    return columns, windows, [START_MS + index * 977_000 for index in range(COUNT)]


def test_matrix_holds_numbers_codes_windows_and_expressions_in_order() -> None:
    graph = preprocessing_graph(SCHEMA, [WINDOW], EXPRESSIONS, CATEGORIES)
    rows = {
        "numbers": np.array([[6, 2], [1, 0]], np.float32),
        "categories": np.array([["red"], ["mauve"]], object),
        "windows": np.array([[4], [np.nan]], np.float32),
        "time": np.array([START_MS, START_MS], np.int64),
    }
    assert feature_names(SCHEMA, [WINDOW], EXPRESSIONS) == ("weight", "distance", "colour", WINDOW.name, "per_km", "at_hour")
    nan = np.nan
    np.testing.assert_array_equal(matrix_of(graph, rows), np.array([[6, 2, 2, 4, 3, 22], [1, 0, nan, nan, nan, 22]], np.float32))


def test_missing_category_is_missing() -> None:
    schema = ModelSchema(columns=(Column(name="colour", kind="category"),))
    graph = preprocessing_graph(schema, (), (), {"colour": ()})
    out = matrix_of(graph, {"categories": np.array([[""], ["red"]], object)})
    assert np.isnan(out).all()


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_scores_equal_the_booster(task: Task) -> None:
    columns, windows, time_ms = everything()
    before = preprocessing_graph(SCHEMA, [WINDOW], EXPRESSIONS, CATEGORIES)
    matrix = matrix_of(before, feeds_of(columns, windows, time_ms, before, SCHEMA))
    assert np.isnan(matrix).any(axis=0).sum() >= 4
    rng = np.random.default_rng(1)
    truth = np.nan_to_num(matrix[:, 0] * matrix[:, 1] + matrix[:, 2] + 3 * np.isnan(matrix[:, 3])) + rng.normal(size=COUNT)
    objective = "reg:squarederror" if task == "regression" else "binary:logistic"
    truth = truth if task == "regression" else (truth > 1).astype(float)
    booster = xgboost.train({"objective": objective, "max_depth": 5, "nthread": 1}, xgboost.DMatrix(matrix, truth), 40)
    whole = with_trees(before, converted(booster, matrix.shape[1]), task)
    runtime = ort.InferenceSession(whole.SerializeToString(), providers=["CPUExecutionProvider"])
    scores = runtime.run(["score"], feeds_of(columns, windows, time_ms, whole, SCHEMA))[0]
    assert scores.shape == (COUNT,)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, booster.predict(xgboost.DMatrix(matrix)), atol=1e-5, rtol=1e-5)


def test_calibration_is_platts() -> None:
    columns, windows, time_ms = everything()
    before = preprocessing_graph(SCHEMA, [WINDOW], (), CATEGORIES)
    matrix = matrix_of(before, feeds_of(columns, windows, time_ms, before, SCHEMA))
    truth = (np.nan_to_num(matrix[:, 0]) > 0).astype(float)
    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(matrix, truth), 5)
    trees = converted(booster, matrix.shape[1])
    whole = with_trees(before, trees, "binary", Calibration(1.7, -0.4))
    runtime = ort.InferenceSession(whole.SerializeToString(), providers=["CPUExecutionProvider"])
    scores = runtime.run(["score"], feeds_of(columns, windows, time_ms, whole, SCHEMA))[0]
    raw = booster.predict(xgboost.DMatrix(matrix)).astype(float)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-(1.7 * np.log(raw / (1 - raw)) - 0.4))), atol=1e-5)
    with pytest.raises(ContractError, match="regression has none"):
        with_trees(before, trees, "regression", Calibration(1, 0))


def test_only_the_inputs_that_are_read_are_there() -> None:
    assert input_names(SCHEMA, (), ()) == ("numbers", "categories")
    assert input_names(SCHEMA, [WINDOW], EXPRESSIONS) == ("numbers", "categories", "windows", "time")
    only = ModelSchema(columns=(Column(name="colour", kind="category"),))
    graph = preprocessing_graph(only, (), (Expression(name="day", text="weekday(time)"),), {"colour": ("red",)})
    assert [value.name for value in graph.graph.input] == ["categories", "time"]


@pytest.mark.parametrize(
    ("windows", "expressions", "categories", "why"),
    [
        ((), (Expression(name="weight", text="1"),), CATEGORIES, "used twice: weight"),
        ((), (Expression(name="a b", text="1"),), CATEGORIES, "expression name 'a b'"),
        ((), (Expression(name="x", text="owner"),), CATEGORIES, "x: expression, position 1: no column or window 'owner'"),
        ((), (), {}, "no categories given for column 'colour'"),
        ((), (), {"colour": ("red", "red")}, "given once"),
        ((Window(aggregate="sum", source="requests", column="owner", range_ms=1),), (), CATEGORIES, "isn't a number"),
    ],
)
def test_specs_that_do_not_fit_are_refused(windows: Any, expressions: Any, categories: Any, why: str) -> None:
    with pytest.raises(ContractError, match=why):
        preprocessing_graph(SCHEMA, windows, expressions, categories)


def test_trees_with_constants_or_loose_ends_are_refused() -> None:
    before = preprocessing_graph(SCHEMA, (), (), CATEGORIES)
    value = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, 3]) for name in ("x", "y")]
    loose = helper.make_model(helper.make_graph([helper.make_node("Add", ["x", "z"], ["y"])], "g", value[:1], value[1:]))
    with pytest.raises(ContractError, match="reads 'z'"):
        with_trees(before, loose, "binary")
    two = helper.make_model(helper.make_graph([helper.make_node("Add", ["x", "y"], ["z"])], "g", value, value[1:]))
    with pytest.raises(ContractError, match="expected one input"):
        with_trees(before, two, "binary")
