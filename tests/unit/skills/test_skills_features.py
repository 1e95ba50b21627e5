import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skills._kit.features import Facts, longest_reach_ms, unflagged
from streams.contracts.features import Window
from streams.contracts.schema import Column, ModelSchema

Row = tuple[int, float | None, str | None, float | None, float]
SCHEMA = ModelSchema(
    columns=(
        Column(name="x", kind="number"),
        Column(name="a", kind="category"),
        Column(name="n", kind="number", role="key"),
    )
)
windows = st.builds(
    lambda kind, by, range_ms, delay_ms: Window(
        aggregate=kind[1], source=kind[0], column=kind[2], by=by, range_ms=range_ms, delay_ms=delay_ms
    ),
    st.sampled_from(
        [
            (source, aggregate, column)
            for source in ("requests", "outcomes")
            for aggregate, column in (("count", None), ("sum", "x"), ("mean", "x"))
        ]
        + [("outcomes", "mean", "label")]
    ),
    st.sampled_from([(), ("a",), ("n",), ("a", "n")]),
    st.integers(1, 60),
    st.sampled_from([0, 7]),
)
value = st.one_of(st.none(), st.sampled_from([0.5, -3.0, 1e6, float("nan"), float("inf")]))
row = st.tuples(
    st.integers(0, 90), value, st.sampled_from(["p", "q", None]), st.sampled_from([1.0, 2.0, None]), st.sampled_from([0.0, 1.0])
)


def table_of(rows: list[Row], time: str) -> pa.Table:
    names = [time, "x", "a", "n", "label"]
    kinds = [pa.int64(), pa.float64(), pa.string(), pa.float64(), pa.float64()]
    return pa.table(
        {name: pa.array([one[i] for one in rows], kind) for i, (name, kind) in enumerate(zip(names, kinds, strict=True))}
    )


@given(
    st.lists(windows, min_size=1, max_size=4, unique=True),
    st.lists(row, max_size=25),
    st.lists(row, max_size=25),
    st.lists(row, min_size=1, max_size=10),
)
@settings(max_examples=40, deadline=None)
def test_columns_say_what_the_query_says(specs: list[Window], requests: list[Row], outcomes: list[Row], rows: list[Row]):
    facts = Facts(SCHEMA, {"requests": table_of(requests, "time_ms"), "outcomes": table_of(outcomes, "known_ms")}, skew_ms=5)
    asked = table_of(rows, "time_ms")
    ours, theirs = facts.columns(specs, asked), facts.queried(specs, asked)
    assert np.allclose(ours, theirs, rtol=1e-12, atol=1e-12, equal_nan=True)


def test_an_outcome_counts_from_when_it_was_known():
    seen = Window(aggregate="count", source="outcomes", range_ms=100)
    outcomes = table_of([(50, None, "p", None, 1.0)], "known_ms")
    facts = Facts(SCHEMA, {"requests": table_of([], "time_ms"), "outcomes": outcomes}, skew_ms=10)
    asked = table_of([(time, None, "p", None, 0.0) for time in (50, 60, 61, 160, 161)], "time_ms")
    assert facts.columns([seen], asked)[:, 0].tolist() == [0, 0, 1, 1, 0]


def test_no_windows_give_no_columns():
    facts = Facts(SCHEMA, {"requests": table_of([], "time_ms"), "outcomes": table_of([], "known_ms")}, skew_ms=0)
    assert facts.columns([], table_of([(1, None, None, None, 0.0)], "time_ms")).shape == (1, 0)


def test_flagged_rows_are_left_out():
    table = pa.table({"x": [1, 2, 3], "flags": pa.array([[], ["suspect"], None], pa.list_(pa.string()))})
    assert unflagged(table).column("x").to_pylist() == [1, 3]


@pytest.mark.parametrize(
    ("specs", "reach"), [([], 5), ([Window(aggregate="count", source="requests", range_ms=9, delay_ms=2)], 16)]
)
def test_reach_covers_range_delay_and_skew(specs: list[Window], reach: int):
    assert longest_reach_ms(specs, 5) == reach
