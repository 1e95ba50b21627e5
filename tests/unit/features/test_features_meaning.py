"""One meaning: ONNX, numpy and SQL give what the language says, missing values and all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams.contracts.features import Expression
from streams.contracts.schema import Column, Kind, ModelSchema
from streams.features.evaluate import evaluate
from streams.features.expressions import parse
from streams.features.sql import compiled
from streams.features.tree import COMPARISONS, FUNCTIONS, Call, Member, Name, Number, TimePart, Tree
from streams.inference.checks import ALLOWED
from streams.inference.graph import preprocessing_graph
from streams.lake.query import run

SCHEMA = ModelSchema(
    columns=(Column(name="a", kind="number"), Column(name="b", kind="number"), Column(name="colour", kind="category"))
)
KINDS: dict[str, Kind] = {column.name: column.kind for column in SCHEMA.columns}
COLOURS = ["red", "blue", "it's", "", None]
NAN = float("nan")

Row = tuple[float, float, str | None]
Values = NDArray[Any]


def by_onnx(text: str, rows: Sequence[Row], time_ms: Sequence[int]) -> Values:
    graph = preprocessing_graph(SCHEMA, (), (Expression(name="out", text=text),), {"colour": ["red"]})
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds: dict[str, Any] = {
        "numbers": np.array([row[:2] for row in rows], np.float32),
        "categories": np.array([[row[2] or ""] for row in rows], object),
        "time": np.asarray(time_ms, np.int64),
    }
    wanted = {value.name for value in graph.graph.input}
    return session.run(["matrix"], {name: feed for name, feed in feeds.items() if name in wanted})[0][:, 3]


def by_numpy(text: str, rows: Sequence[Row], time_ms: Sequence[int]) -> Values:
    columns = {name: np.array([row[place] for row in rows], float) for place, name in enumerate("ab")}
    return evaluate(parse(text, KINDS), {**columns, "colour": [row[2] for row in rows]}, np.asarray(time_ms, np.int64))


def by_sql(text: str, rows: Sequence[Row], time_ms: Sequence[int]) -> Values:
    numbers = [[None if np.isnan(row[place]) else row[place] for row in rows] for place in (0, 1)]
    given = pa.table(
        {
            "a": pa.array(numbers[0], pa.float64()),
            "b": pa.array(numbers[1], pa.float64()),
            "colour": pa.array([row[2] for row in rows], pa.string()),
            "t": pa.array(time_ms, pa.int64()),
        }
    )
    sql = compiled(parse(text, KINDS), {"a": "a", "b": "b", "colour": "colour"}, "t")
    return selected(sql, given).to_numpy()


def selected(sql: str, given: pa.Table) -> pa.ChunkedArray:
    return run(f"SELECT {sql} AS out FROM given", {"given": given}).column("out")  # noqa: S608 - compiled text is what is tested


BACKENDS: dict[str, Callable[[str, Sequence[Row], Sequence[int]], Values]] = {"onnx": by_onnx, "numpy": by_numpy, "sql": by_sql}


@pytest.mark.parametrize("backend", list(BACKENDS))
@pytest.mark.parametrize(
    ("text", "row", "expected"),
    [
        ("a / b", (1, 0), NAN),
        ("a / b", (0, 0), NAN),
        ("a / b", (1, 4), 0.25),
        ("a * a * a * a * a * a * a * a * a * a", (3e38, 10), NAN),
        ("sqrt(a)", (-1, 0), NAN),
        ("log(a)", (0, 0), NAN),
        ("log(a)", (-1, 0), NAN),
        ("log(a)", (1, 0), 0),
        ("log1p(a)", (-1, 0), NAN),
        ("log1p(a)", (-2, 0), NAN),
        ("a < b", (NAN, 1), NAN),
        ("a != b", (1, NAN), NAN),
        ("a != b", (1, 2), 1),
        ("a == b", (2, 2), 1),
        ("a >= b", (1, 2), 0),
        ("min(a, b)", (NAN, 1), NAN),
        ("max(a, b)", (1, NAN), NAN),
        ("clip(a, 0, 1)", (5, 0), 1),
        ("clip(a, 0, 1)", (NAN, 0), NAN),
        ("bucket(a, -1, 1, 10)", (-2, 0), 0),
        ("bucket(a, -1, 1, 10)", (1, 0), 2),
        ("bucket(a, -1, 1, 10)", (11, 0), 3),
        ("bucket(a, -1, 1, 10)", (NAN, 0), NAN),
        ("is_missing(a) + is_missing(b)", (NAN, 2), 1),
        ("is_missing(a / b)", (1, 0), 1),
        ("if_missing(a, b)", (NAN, 7), 7),
        ("if_missing(a, b)", (3, 7), 3),
        ("abs(-a) + 1", (-4, 0), 5),
        ("2", (0, 0), 2),
        ("a < b and b < 3", (1, 2), 1),
        ("a < b and b < 3", (2, 1), 0),
        ("a < b and b < 3", (NAN, 5), NAN),
        ("a < b or b < 3", (2, 1), 1),
        ("a < b or b < 3", (NAN, 1), NAN),
        ("not a < b", (1, 2), 0),
        ("not a < b", (1, NAN), NAN),
        ('colour == "red"', (0, 0, "red"), 1),
        ('colour == "red"', (0, 0, "blue"), 0),
        ('colour == "red"', (0, 0, ""), NAN),
        ('colour == "red"', (0, 0, None), NAN),
        ('colour != "red"', (0, 0, "blue"), 1),
        ('colour in ("it\'s", "blue")', (0, 0, "it's"), 1),
        ('colour not in ("it\'s", "blue")', (0, 0, "blue"), 0),
        ("is_missing(colour)", (0, 0, None), 1),
        ("is_missing(colour)", (0, 0, ""), 1),
        ("is_missing(colour)", (0, 0, "x"), 0),
    ],
)
def test_defined_results(backend: str, text: str, row: tuple[Any, ...], expected: float):
    a, b, colour = (*row, "red")[:3]  # a row without a colour is red
    full: Row = (a, b, colour)
    np.testing.assert_array_equal(BACKENDS[backend](text, [full, full], [0, 0]), [expected, expected])


@given(st.lists(st.integers(-(10**11), 4 * 10**12), min_size=1, max_size=20))
@settings(max_examples=30, deadline=None)
def test_time_parts_are_utc(time_ms: list[int]):
    rows: list[Row] = [(0.0, 0.0, "red")] * len(time_ms)
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    moments = [epoch + dt.timedelta(milliseconds=value) for value in time_ms]
    expected = {
        "hour": [moment.hour for moment in moments],
        "weekday": [moment.weekday() for moment in moments],
        "day": [moment.day for moment in moments],
        "month": [moment.month for moment in moments],
    }
    for part, values in expected.items():
        assert by_onnx(f"{part}(time)", rows, time_ms).tolist() == values
        assert by_numpy(f"{part}(time)", rows, time_ms).tolist() == values
        after_1970 = [value for value, time in zip(values, time_ms, strict=True) if time >= 0]
        found = by_sql(f"{part}(time)", rows[: len(after_1970)], [time for time in time_ms if time >= 0])
        assert found.tolist() == after_1970


def test_what_a_graph_of_formulas_uses_may_be_loaded():
    text = 'bucket(a, 1, 2) + month(time) + day(time) + log(b) + (not colour in ("red") and a > 1 or b < 2)'
    graph = preprocessing_graph(SCHEMA, (), (Expression(name="out", text=text),), {"colour": ["red"]})
    assert {(node.domain, node.op_type) for node in graph.graph.node} <= ALLOWED


def test_a_deep_formula_is_no_long_statement():
    deep = "sqrt(" * 18 + "a" + ")" * 18
    assert by_sql(deep, [(4.0, 0.0, None)], [0])[0] == pytest.approx(4.0**2**-18)
    assert len(compiled(parse(deep, KINDS), {"a": "a"}, "t")) < 5_000


def test_columns_may_be_called_like_the_statement_s_own_names():
    tree = parse("y / x - min(x, y)", {"x": "number", "y": "number"})
    given = pa.table({"x": [2.0], "y": [3.0]})
    assert selected(compiled(tree, {"x": "x", "y": "y"}, "0"), given).to_pylist() == [-0.5]


def interpreted(tree: Tree, columns: dict[str, Any], dtype: type[np.floating[Any]]) -> Values:
    """The language again, from its definition."""
    rows = len(columns["a"])
    if isinstance(tree, Number):
        return np.full(rows, tree.value, dtype)
    if isinstance(tree, Name):
        if tree.kind == "category":
            return np.array([0.0 if text else NAN for text in columns[tree.name]], dtype)
        return columns[tree.name].astype(dtype)
    if isinstance(tree, Member):
        return np.array([float(text in tree.values) if text else NAN for text in columns[tree.name]], dtype)
    assert not isinstance(tree, TimePart)
    values = [interpreted(argument, columns, dtype) for argument in tree.arguments]
    with np.errstate(all="ignore"):
        found = np.array([one_row(tree, row, dtype) for row in zip(*values, strict=True)], dtype)
    return np.where(np.isinf(found), NAN, found).astype(dtype)


def one_row(tree: Call, row: tuple[Any, ...], dtype: type[np.floating[Any]]) -> Any:
    x, *others = row
    if tree.function == "is_missing":
        return float(np.isnan(x))
    if tree.function == "if_missing":
        return others[0] if np.isnan(x) else x
    if any(np.isnan(value) for value in row):
        return NAN
    y = others[0] if others else x
    meaning: dict[str, Callable[[], Any]] = {
        "+": lambda: x + y,
        "-": lambda: x - y,
        "*": lambda: x * y,
        "/": lambda: NAN if y == 0 else x / y,
        "<": lambda: x < y,
        "<=": lambda: x <= y,
        ">": lambda: x > y,
        ">=": lambda: x >= y,
        "==": lambda: x == y,
        "!=": lambda: x != y,
        "and": lambda: bool(x) and bool(y),
        "or": lambda: bool(x) or bool(y),
        "not": lambda: not x,
        "neg": lambda: -x,
        "abs": lambda: abs(x),
        "sqrt": lambda: np.sqrt(x),
        "log": lambda: np.log(x),
        "log1p": lambda: np.log(dtype(1) + x),
        "min": lambda: min(x, y),
        "max": lambda: max(x, y),
        "clip": lambda: min(max(x, y), others[1]),
        "bucket": lambda: sum(x >= edge for edge in others),
    }
    return meaning[tree.function]()


def formulas(*functions: str) -> st.SearchStrategy[str]:
    """Formulas over a, b and colour; `functions` are allowed beside the operators."""
    leaf = st.one_of(
        st.sampled_from(["a", "b", "is_missing(colour)"]),
        st.floats(0, 1e6, width=32, allow_subnormal=False).map(lambda value: f"{value:.6g}"),
    )
    of_colour = st.sampled_from(['colour == "red"', 'colour != "it\'s"', 'colour in ("blue", "red")'])

    def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        compared = st.tuples(inner, st.sampled_from(COMPARISONS), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})")
        truth = st.one_of(compared, of_colour, compared.map(lambda text: f"not {text}"))
        joined = st.tuples(truth, st.sampled_from(["and", "or"]), truth).map(lambda p: f"({p[0]} {p[1]} {p[2]})")
        binary = st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})")
        calls = [st.tuples(*[inner] * FUNCTIONS[name]).map(lambda p, name=name: f"{name}({', '.join(p)})") for name in functions]
        others = [inner.map(lambda text: f"-({text})"), inner.map(lambda text: f"bucket({text}, -1, 0, 2.5)")]
        missing = inner.map(lambda text: f"is_missing({text})")
        return st.one_of(binary, joined, missing, truth.map(lambda text: f"({text})"), *others, *calls)

    return st.recursive(leaf, grown, max_leaves=6)


VALUES = st.one_of(
    st.just(NAN),
    st.sampled_from([0.0, 1.0, -1.0, 3e38, -3e38, 1e-30]),
    st.floats(-1e4, 1e4, width=32, allow_subnormal=False),
)
ROWS = st.lists(st.tuples(VALUES, VALUES, st.sampled_from(COLOURS)), min_size=1, max_size=12)


def columns_of(rows: Sequence[Row]) -> dict[str, Any]:
    numbers = {name: np.array([row[place] for row in rows], np.float32) for place, name in enumerate("ab")}
    return {**numbers, "colour": [row[2] for row in rows]}


@given(formulas("abs", "sqrt", "min", "max", "clip", "if_missing"), ROWS)
@settings(max_examples=200, deadline=None)
def test_all_equal_the_definition(text: str, rows: list[Row]):
    tree, columns, times = parse(text, KINDS), columns_of(rows), [0] * len(rows)
    np.testing.assert_array_equal(by_onnx(text, rows, times), interpreted(tree, columns, np.float32))
    expected = interpreted(tree, columns, np.float64)
    rounded = [(float(a), float(b), colour) for a, b, colour in zip(*columns.values(), strict=True)]
    np.testing.assert_array_equal(by_numpy(text, rounded, times), expected)
    np.testing.assert_array_equal(by_sql(text, rounded, times), expected)


@given(st.sampled_from(["log(a)", "log1p(a)", "log1p(abs(a)) * b", "if_missing(log(a), b)", "sqrt(log1p(abs(b)))"]), ROWS)
@settings(max_examples=100, deadline=None)
def test_logarithms_agree_closely(text: str, rows: list[Row]):
    """The last bit of a logarithm is the library's; nothing else may differ."""
    tree, columns, times = parse(text, KINDS), columns_of(rows), [0] * len(rows)
    np.testing.assert_allclose(by_onnx(text, rows, times), interpreted(tree, columns, np.float32), rtol=1e-6, atol=1e-30)
    rounded = [(float(a), float(b), colour) for a, b, colour in zip(*columns.values(), strict=True)]
    expected = interpreted(tree, columns, np.float64)
    np.testing.assert_allclose(by_numpy(text, rounded, times), expected, rtol=1e-12, atol=1e-30)
    np.testing.assert_allclose(by_sql(text, rounded, times), expected, rtol=1e-12, atol=1e-30)
