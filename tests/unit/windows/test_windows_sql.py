"""The offline compiler: what it refuses, and that names can't break out of the statement."""

from __future__ import annotations

import pyarrow as pa
import pytest

from streams.contracts.errors import ContractError
from streams.contracts.features import Window
from streams.contracts.schema import Column, ModelSchema
from streams.lake.query import run
from streams.windows.online import WindowState
from streams.windows.sql import _quoted, compile_windows

SCHEMA = ModelSchema(
    columns=(
        Column(name="row_", kind="category"),
        Column(name="t", kind="number"),
        Column(name="k_t", kind="number"),
        Column(name="n", kind="number"),
    )
)


def test_columns_may_be_called_like_the_statement_s_own():
    spec = Window(aggregate="sum", source="requests", column="n", by=("k_t", "t"), range_ms=10)
    facts = pa.table({"time_ms": [1, 2], "t": [4.0, 4.0], "k_t": [1.0, 1.0], "n": [3, 4]})
    rows = pa.table({"row": [1, 0], "time_ms": [5, 2], "t": [4.0, 4.0], "k_t": [1.0, 1.0]})
    found = run(compile_windows([spec], SCHEMA, 0), {"rows": rows, "requests": facts})
    assert found.to_pydict() == {"row": [0, 1], spec.name: [3.0, 7.0]}


@pytest.mark.parametrize(
    "spec",
    [
        Window(aggregate="count", source="requests", by=("row",), range_ms=1),
        Window(aggregate="count", source="outcomes", by=("label",), range_ms=1),
        Window(aggregate="sum", source="requests", column="label", range_ms=1),
        Window(aggregate="sum", source="outcomes", column="known_ms", range_ms=1),
    ],
)
def test_reserved_names_are_refused_on_both_sides(spec: Window):
    with pytest.raises(ContractError, match="reserved"):
        compile_windows([spec], SCHEMA, 0)
    with pytest.raises(ContractError, match="reserved"):
        WindowState([spec], SCHEMA, 0)


def test_identifiers_are_quoted():
    assert _quoted('a"; DROP TABLE rows; --') == '"a""; DROP TABLE rows; --"'


def test_specs_are_checked_against_the_schema():
    with pytest.raises(ContractError, match="no column 'gone'"):
        compile_windows([Window(aggregate="count", source="requests", by=("gone",), range_ms=1)], SCHEMA, 0)
    with pytest.raises(ContractError, match="isn't a number"):
        compile_windows([Window(aggregate="sum", source="requests", column="row_", range_ms=1)], SCHEMA, 0)


def test_one_statement_shares_facts_and_bounds():
    specs = [Window(aggregate="count", source="requests", range_ms=range_ms) for range_ms in (1, 2, 3)]
    sql = compile_windows([*specs, *specs], SCHEMA, 0)
    assert sql.count("FROM requests") == 1
    assert sql.count("RANGE BETWEEN") == 3


def test_no_spec_gives_the_rows():
    assert run(compile_windows([], SCHEMA, 0), {"rows": pa.table({"row": [2, 1], "time_ms": [0, 0]})}).to_pydict() == {
        "row": [1, 2]
    }
