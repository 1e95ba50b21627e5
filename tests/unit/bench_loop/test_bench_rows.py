"""The shared table: what goes out of it, and what is refused."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from streams.contracts.schema import Column, ModelSchema
from tests.bench.closed_loop.rows import Rows, check, labels_of, requests_of, sort

SCHEMA = ModelSchema(
    columns=(Column(name="amount", kind="number"), Column(name="shop", kind="category", role="key")),
)


def table() -> Rows:
    return pd.DataFrame(
        {
            "id": ["a", "b", "c"],
            "time_ms": np.array([10, 10, 20], dtype="int64"),
            "amount": [1.0, np.nan, 3.0],
            "shop": np.array(["x", None, "x"], dtype=object),
            "label": [0.0, 1.0, np.nan],
            "told": [1.0, 1.0, np.nan],
            "known_ms": [90.0, 30.0, np.nan],
        }
    )


def test_requests_hold_what_is_known_at_event_time():
    assert list(requests_of(table(), SCHEMA).columns) == ["id", "time_ms", "amount", "shop"]


def test_labels_come_as_told_in_the_order_of_knowing():
    labels = labels_of(table())
    assert labels.to_dict("list") == {"id": ["b", "a"], "time_ms": [30, 90], "label": [1.0, 1.0]}
    assert str(labels["time_ms"].dtype) == "int64"


def test_a_good_table_passes():
    rows = table()
    assert check(rows, SCHEMA) is rows


def test_sorting_is_by_time_and_then_by_id():
    assert sort(table().iloc[::-1])["id"].tolist() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows.drop(columns="shop"), "'shop' is missing"),
        (lambda rows: rows.assign(amount=1), "'amount' is int64, not float64"),
        (lambda rows: rows.assign(cause="x"), "undeclared: cause"),
        (lambda rows: rows.assign(id=["a", "a", "c"]), "'a' occurs twice"),
        (lambda rows: rows.iloc[::-1], "row 1 isn't in the order"),
        (lambda rows: rows.assign(id=["b", "a", "c"]), "row 1 isn't in the order"),
        (lambda rows: rows.assign(known_ms=5.0), "'a' is known before its request"),
        (lambda rows: rows.assign(time_ms=rows["time_ms"] - 20), "a time is negative"),
    ],
)
def test_what_is_wrong_is_named(change: Callable[[Rows], Rows], said: str):
    with pytest.raises(ValueError, match=said):
        check(change(table()), SCHEMA)


def test_a_declared_name_may_not_hide_one_of_the_tables_own():
    with pytest.raises(ValueError, match="'label' has the name"):
        check(table(), ModelSchema(columns=(Column(name="label", kind="number"),)))
