"""The expression language: what it accepts, what it refuses and where, and that ONNX computes what it promises."""

from __future__ import annotations

import datetime as dt

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.errors import ContractError
from streams.contracts.features import Expression
from streams.contracts.schema import Column, ModelSchema
from streams.inference.expressions import (
    COMPARISONS,
    FUNCTIONS,
    MAX_DEPTH,
    Call,
    Name,
    Number,
    TimePart,
    Tree,
    names_in,
    parse,
    reads_time,
)
from streams.inference.graph import preprocessing_graph

SCHEMA = ModelSchema(columns=(Column(name="a", kind="number"), Column(name="b", kind="number")))
NAN = np.float32(np.nan)


def test_precedence_is_what_people_expect() -> None:
    a, b = Name("a"), Name("b")
    assert parse("a + b * 2", "ab") == Call("+", (a, Call("*", (b, Number(2.0)))))
    assert parse("(a + b) * 2", "ab") == Call("*", (Call("+", (a, b)), Number(2.0)))
    assert parse("a - b - 1", "ab") == Call("-", (Call("-", (a, b)), Number(1.0)))
    assert parse("-a * b", "ab") == Call("*", (Call("neg", (a,)), b))
    assert parse("a - -b", "ab") == Call("-", (a, Call("neg", (b,))))
    assert parse("a + 1 < b * 2", "ab") == Call("<", (Call("+", (a, Number(1.0))), Call("*", (b, Number(2.0)))))
    assert parse("hour(time) >= 18", "ab") == Call(">=", (TimePart("hour"), Number(18.0)))


def test_what_a_tree_reads() -> None:
    tree = parse("clip(a, 0, b) + weekday(time)", ["a", "b", "c"])
    assert names_in(tree) == {"a", "b"}
    assert reads_time(tree)
    assert not reads_time(parse("a", "a"))


@pytest.mark.parametrize(
    ("text", "position", "why"),
    [
        ("", 1, "the text ends"),
        ("a +", 4, "the text ends"),
        ("a b", 3, "expected an operator"),
        ("a $ b", 3, "means nothing"),
        ("a ** b", 4, "expected a value"),
        ("(a", 3, "the text ends"),
        ("a < b < 1", 7, "chain"),
        ("a + c", 5, "no numeric column or window 'c'"),
        ("time", 1, "no numeric column"),
        ("hour(a)", 6, "expected 'time'"),
        ("exp(a)", 1, "no function 'exp'"),
        ("min(a)", 1, "takes 2 values, got 1"),
        ("a + 1e39", 5, "too large"),
        ("a.b", 2, "means nothing"),
        ("__import__('os')", 12, "means nothing"),
        ("((((((((((((((((((((((a))))))))))))))))))))))", 21, "nested deeper"),
        ("-" * 30 + "a", 21, "nested deeper"),
        ("a" + "+a" * 30, 40, "nested deeper"),
    ],
)
def test_refusals_say_where(text: str, position: int, why: str) -> None:
    with pytest.raises(ContractError, match=f"position {position}: .*{why}"):
        parse(text, ["a", "b"])


def test_a_long_text_is_refused_before_it_is_read() -> None:
    with pytest.raises(ContractError, match="at most 500"):
        parse("a+" * 300 + "a", "a")


@given(st.text(alphabet="ab01.e+-*/<>=!(), \thourtimeclipmx_\u0661", max_size=60))
def test_any_text_is_a_tree_or_a_refusal(text: str) -> None:
    try:
        tree = parse(text, ["a", "b"])
    except ContractError as error:
        refused = str(error)
    else:
        assert names_in(tree) <= {"a", "b"}
        return
    assert "position" in refused


def computed(text: str, rows: np.ndarray, time_ms: list[int] | None = None) -> np.ndarray:
    graph = preprocessing_graph(SCHEMA, (), (Expression(name="out", text=text),), {})
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {"numbers": rows.astype(np.float32)}
    if any(value.name == "time" for value in graph.graph.input):
        feeds["time"] = np.asarray(time_ms, np.int64)
    return session.run(["matrix"], feeds)[0][:, 2]


@pytest.mark.parametrize(
    ("text", "row", "expected"),
    [
        ("a / b", (1, 0), NAN),
        ("a / b", (0, 0), NAN),
        ("a / b", (1, 4), 0.25),
        ("a * b", (3e38, 10), NAN),
        ("sqrt(a)", (-1, 0), NAN),
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
        ("is_missing(a) + is_missing(b)", (NAN, 2), 1),
        ("is_missing(a / b)", (1, 0), 1),
        ("if_missing(a, b)", (NAN, 7), 7),
        ("if_missing(a, b)", (3, 7), 3),
        ("abs(-a) + 1", (-4, 0), 5),
        ("2", (0, 0), 2),
    ],
)
def test_defined_results(text: str, row: tuple[float, float], expected: float) -> None:
    np.testing.assert_array_equal(computed(text, np.array([row, row], np.float32)), np.full(2, expected, np.float32))


@given(st.lists(st.integers(-(10**11), 4 * 10**12), min_size=1, max_size=20))
@settings(max_examples=30, deadline=None)
def test_time_parts_are_utc(time_ms: list[int]) -> None:
    rows = np.zeros((len(time_ms), 2), np.float32)
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    moments = [epoch + dt.timedelta(milliseconds=value) for value in time_ms]
    assert computed("hour(time)", rows, time_ms).tolist() == [moment.hour for moment in moments]
    assert computed("weekday(time)", rows, time_ms).tolist() == [moment.weekday() for moment in moments]


def finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isinf(values), NAN, values).astype(np.float32)


def interpreted(tree: Tree, rows: dict[str, np.ndarray]) -> np.ndarray:
    """The language again, in numpy, from its definition."""
    if isinstance(tree, Number):
        return np.full(len(rows["a"]), tree.value, np.float32)
    if isinstance(tree, Name):
        return rows[tree.name]
    x, *others = [interpreted(argument, rows) for argument in tree.arguments]
    y = others[0] if others else x
    if tree.function in COMPARISONS:
        truth = {"<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y, "==": x == y, "!=": x != y}[tree.function]
        return np.where(np.isnan(x) | np.isnan(y), NAN, truth.astype(np.float32))
    meaning = {
        "+": lambda: x + y,
        "-": lambda: x - y,
        "*": lambda: x * y,
        "/": lambda: np.where(y == 0, NAN, x / y),
        "neg": lambda: -x,
        "abs": lambda: np.abs(x),
        "sqrt": lambda: np.sqrt(x),
        "log1p": lambda: np.log(np.float32(1) + x),
        "min": lambda: np.minimum(x, y),
        "max": lambda: np.maximum(x, y),
        "clip": lambda: np.minimum(np.maximum(x, y), others[1]),
        "is_missing": lambda: np.isnan(x).astype(np.float32),
        "if_missing": lambda: np.where(np.isnan(x), y, x),
    }
    with np.errstate(all="ignore"):
        return finite(meaning[tree.function]())


def formulas(*functions: str) -> st.SearchStrategy[str]:
    """Formulas over a and b; `functions` are allowed beside the operators."""
    leaf = st.one_of(st.sampled_from(["a", "b"]), st.floats(0, 1e6, width=32, allow_subnormal=False).map(lambda v: f"{v:.6g}"))

    def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        binary = st.tuples(inner, st.sampled_from(["+", "-", "*", "/", *COMPARISONS]), inner).map(
            lambda p: f"({p[0]} {p[1]} {p[2]})"
        )
        calls = [st.tuples(*[inner] * FUNCTIONS[name]).map(lambda p, name=name: f"{name}({', '.join(p)})") for name in functions]
        return st.one_of(binary, inner.map(lambda text: f"-({text})"), *calls)

    return st.recursive(leaf, grown, max_leaves=8)


VALUES = st.one_of(
    st.just(float("nan")),
    st.sampled_from([0.0, 1.0, -1.0, 3e38, -3e38, 1e-30]),
    st.floats(-1e4, 1e4, width=32, allow_subnormal=False),
)
ROWS = st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=12).map(lambda rows: np.array(rows, np.float32))


@given(formulas("abs", "sqrt", "min", "max", "clip", "is_missing", "if_missing"), ROWS)
@settings(max_examples=200, deadline=None)
def test_onnx_equals_the_definition(text: str, rows: np.ndarray) -> None:
    tree = parse(text, ["a", "b"])
    np.testing.assert_array_equal(computed(text, rows), interpreted(tree, {"a": rows[:, 0], "b": rows[:, 1]}))


@given(st.sampled_from(["log1p(a)", "log1p(abs(a)) * b", "if_missing(log1p(a), b)", "sqrt(log1p(abs(b)))"]), ROWS)
@settings(max_examples=100, deadline=None)
def test_logarithms_agree_closely(text: str, rows: np.ndarray) -> None:
    """The last bit of a logarithm is the library's; nothing else may differ."""
    expected = interpreted(parse(text, ["a", "b"]), {"a": rows[:, 0], "b": rows[:, 1]})
    np.testing.assert_allclose(computed(text, rows), expected, rtol=1e-6, atol=1e-30)


def test_depth_limit_is_reached_not_passed() -> None:
    assert parse("(" * (MAX_DEPTH - 1) + "a" + ")" * (MAX_DEPTH - 1), "a") == Name("a")
