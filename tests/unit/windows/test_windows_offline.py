"""Offline columns: as exact as they say, for rows in any order, and refused where they would be wrong."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from streams.contracts.errors import ContractError
from streams.contracts.features import Window
from streams.contracts.schema import Column, ModelSchema
from streams.windows.facts import END_MS
from streams.windows.offline import window_values

SCHEMA = ModelSchema(
    columns=(
        Column(name="amount", kind="number"),
        Column(name="account", kind="number", role="key"),
    )
)


def values_of(window: Window, rows: pa.Table, facts: pa.Table) -> list[float]:
    ((_, values),) = window_values([window], SCHEMA, 0, rows, {"requests": facts})
    return values.tolist()


def test_sums_are_right_to_the_last_digit_whatever_was_before():
    rng = np.random.default_rng(0)
    amounts = np.round(rng.lognormal(3, 2, 4_000), 2)
    amounts[::50] = rng.choice([1e30, -1e30, 1e17, 1e-9], 80)
    facts = pa.table({"time_ms": np.arange(4_000), "amount": amounts})
    window = Window(aggregate="sum", source="requests", column="amount", range_ms=40)
    found = values_of(window, facts, facts)
    for row in range(40, 4_000):
        members = amounts[row - 40 : row].tolist()
        size = math.fsum(map(abs, members))
        assert found[row] == pytest.approx(math.fsum(members), rel=4e-16, abs=4e-16 * size)


def test_rows_may_come_in_any_order():
    rng = np.random.default_rng(0)
    facts = pa.table({"time_ms": rng.integers(0, 500, 900), "account": rng.integers(0, 9, 900), "amount": rng.normal(size=900)})
    window = Window(aggregate="mean", source="requests", column="amount", by=("account",), range_ms=100)
    order = rng.permutation(900)
    assert np.array_equal(
        np.array(values_of(window, facts, facts))[order], values_of(window, facts.take(pa.array(order)), facts), equal_nan=True
    )


def test_without_facts_there_is_nothing_to_count():
    nothing = pa.table({"time_ms": pa.array([], pa.int64()), "account": pa.array([], pa.float64())})
    rows = pa.table({"time_ms": [5, 6], "account": [1.0, None]})
    window = Window(aggregate="count", source="requests", by=("account",), range_ms=9)
    found = values_of(window, rows, nothing)
    assert (found[0], math.isnan(found[1])) == (0.0, True)


def test_more_keys_and_time_than_fit_are_refused():
    keys = np.arange((1 << 21) + 1, dtype=np.float64)
    times = np.full(len(keys), END_MS - 1)
    times[0] = 0
    facts = pa.table({"time_ms": times, "account": keys})
    window = Window(aggregate="count", source="requests", by=("account",), range_ms=9)
    with pytest.raises(ContractError, match="too many keys"):
        values_of(window, facts.slice(0, 1), facts)
