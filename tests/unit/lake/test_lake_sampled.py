"""Of very many requests one in so many is read: the same ones in each table, whatever their order."""

from __future__ import annotations

import numpy as np
import pytest

from streams.lake.lake import Lake
from tests.kit.shops import MODEL, orders, serve

ROWS = 8_192


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return serve(orders(ROWS, 1), tmp_path_factory.mktemp("lake"), np.full(ROWS, 0.5), "d" * 64)


@pytest.mark.parametrize("one_in", [2, 16])
def test_about_one_request_in_so_many_is_read_with_its_label(lake: Lake, one_in: int) -> None:
    asked = lake.read(MODEL, "predictions", ["id", "offset", "amount"], one_in=one_in)
    assert asked.num_rows == pytest.approx(ROWS / one_in, rel=0.15)
    known = lake.read(MODEL, "outcomes", ["id"], one_in=one_in, time_column="known_ms")
    assert set(known["id"].to_pylist()) == set(asked["id"].to_pylist())
    assert asked["amount"].to_numpy().mean() == pytest.approx(0, abs=4 / np.sqrt(asked.num_rows))
    for every in (2, 3, 7):
        shares = np.bincount(asked["offset"].to_numpy() % every) / asked.num_rows
        assert shares == pytest.approx(1 / every, abs=0.1), "producers that take turns are read alike"


def test_fewer_are_among_more(lake: Lake) -> None:
    some, more = (set(lake.read(MODEL, "predictions", ["id"], one_in=one_in)["id"].to_pylist()) for one_in in (16, 4))
    assert some < more
    assert lake.read(MODEL, "predictions", ["id"], one_in=1).num_rows == ROWS


def test_rows_are_counted_without_being_read(lake: Lake) -> None:
    time_ms = lake.read(MODEL, "predictions", ["time_ms"])["time_ms"].to_numpy()
    first, last = int(time_ms[1_000]), int(time_ms[3_000])
    assert lake.count(MODEL, "predictions") == ROWS
    assert lake.count(MODEL, "predictions", since_ms=first, until_ms=last) == ((time_ms >= first) & (time_ms < last)).sum()
    known_ms = lake.read(MODEL, "outcomes", ["known_ms"])["known_ms"].to_numpy()
    assert lake.count(MODEL, "outcomes", until_ms=last, time_column="known_ms") == (known_ms < last).sum()
