"""A data source that is registered today becomes a feature tomorrow: found, trained with, and named in the lineage."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skills import build_dataset, compare_models, propose_windows, train_xgboost
from skills._kit.features import Facts
from streams.contracts.schema import Column, SourceSchema
from streams.features.text import parse_window
from streams.inference.session import load
from streams.inference.store import BundleStore
from streams.lake.lake import Lake
from streams.lake.tables import source_table, table_schema
from tests.kit.shops import DAY_MS, HOUR_MS, MODEL, SKEW_MS, Orders, into_lake, orders

FOOTFALL = SourceSchema(
    name="footfall",
    columns=(Column(name="shop", kind="category", role="key"), Column(name="people", kind="number")),
)
PEOPLE = parse_window("last(footfall.people) by shop over 1d")
SHOPS = 12


class World(NamedTuple):
    """Orders whose label depends on how many people were counted last in the shop."""

    given: Orders
    records: pa.Table


@pytest.fixture(scope="module")
def world() -> World:
    rng = np.random.default_rng(5)
    given = orders(4_000, 5)
    times = given.table.column("time_ms").to_numpy()
    hours = np.arange(times.min() - DAY_MS, times.max(), 2 * HOUR_MS)
    people = rng.normal(size=(len(hours), SHOPS))
    records = pa.table(
        {
            "id": [f"f{number}" for number in range(people.size)],
            "partition": pa.array([0] * people.size, pa.int32()),
            "offset": np.arange(people.size),
            "time_ms": np.repeat(hours, SHOPS) + rng.integers(0, HOUR_MS, people.size),
            "shop": [f"s{number}" for number in range(SHOPS)] * len(hours),
            "people": people.ravel(),
        }
    )
    schema = msgspec.structs.replace(given.schema, sources=(FOOTFALL,))
    last = Facts(schema, {"footfall": records}, SKEW_MS).columns([PEOPLE], given.table)[:, 0]
    label = rng.random(len(last)) < 1 / (1 + np.exp(1.0 - 1.5 * np.nan_to_num(last)))
    place = given.table.column_names.index("label")
    return World(Orders(given.schema, given.table.set_column(place, "label", pa.array(label.astype(float)))), records)


@pytest.mark.timeout(240)
def test_a_source_registered_since_becomes_a_feature(world: World, tmp_path: Path):
    into_lake(world.given, tmp_path / "lake")
    common: dict[str, Any] = {"lake": str(tmp_path / "lake"), "registry": str(tmp_path / "registry"), "model": MODEL}
    ranges = {"until_ms": world.given.end_ms, "train_ms": 18 * DAY_MS, "sealed_ms": 4 * DAY_MS}
    first = {"schema": world.given.schema, "skew_ms": SKEW_MS}
    fast = {"rounds": 40, "patience": 10}

    def work(name: str) -> Path:
        (tmp_path / name).mkdir()
        return tmp_path / name

    data = build_dataset.run(build_dataset.Input(**common, **ranges, **first), work("data"))
    champion = train_xgboost.run(train_xgboost.Input(**common, **first, train=data.train, parameters=fast), work("first")).digest
    common["champion"] = champion

    # Registered now: before a record is archived there is nothing to find, and nothing fails.
    asked = {**common, "train": data.train, "until_ms": ranges["until_ms"] - ranges["sealed_ms"], "budget_seconds": 20.0}
    asked["sources"] = (FOOTFALL,)
    assert propose_windows.run(propose_windows.Input(**asked), tmp_path).accepted == []
    # Labels that all come after the last row leave nothing to judge a window on.
    train = pq.read_table(data.train)
    known = pa.array(train["known_ms"].to_numpy() + 30 * DAY_MS)
    pq.write_table(train.set_column(train.column_names.index("known_ms"), "known_ms", known), tmp_path / "slow.parquet")
    slow = propose_windows.run(propose_windows.Input(**{**asked, "train": str(tmp_path / "slow.parquet")}), tmp_path)
    assert (slow.accepted, slow.tried) == ([], 0)
    assert "too late" in slow.untried
    lake, table = Lake(common["lake"]), source_table("footfall")
    schema = msgspec.structs.replace(world.given.schema, sources=(FOOTFALL,))
    rows = world.records.select(table_schema(schema, table).names)
    lake.append(MODEL, table, rows, {"footfall/0": rows.num_rows})
    found = propose_windows.run(propose_windows.Input(**asked), tmp_path).accepted
    assert found[0].window.source == "footfall"
    assert (found[0].window.aggregate, found[0].window.by) == ("last", ("shop",))

    windows = (found[0].window,)
    both = build_dataset.run(build_dataset.Input(**common, **ranges, windows=windows, sources=(FOOTFALL,)), work("both"))
    assert both.versions == {name: lake.version(MODEL, name) for name in ("predictions", "outcomes", table)}
    again = build_dataset.run(build_dataset.Input(**common, **ranges, windows=windows, sources=(FOOTFALL,)), work("again"))
    assert again.digest == both.digest
    challenger = train_xgboost.run(
        train_xgboost.Input(**common, train=both.train, windows=windows, sources=(FOOTFALL,), parameters=fast), work("second")
    ).digest
    manifest = load(BundleStore(Path(common["registry"])), MODEL, challenger).manifest
    assert manifest.schema.sources == (FOOTFALL,)
    assert manifest.schema.reads_like(world.given.schema), "the same requests are answered by both"
    judged = compare_models.run(
        compare_models.Input(**common, challenger=challenger, sealed=data.sealed, live=None, seed=0), tmp_path
    )
    assert judged.metric.difference.low > 0, "the sealed rows lacked the lookup; the comparison reads it from the lake"
