"""The whole way on real flights: a champion of winter, a search two weeks into March, a challenger, weeks it hasn't seen."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skills import build_dataset, compare_models, import_history, propose_windows, train_xgboost
from streams.contracts.features import LABEL
from streams.contracts.schema import Column, ModelSchema

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
CATEGORIES = ("carrier", "origin", "dest")
NUMBERS = ("distance", "hour", "weekday", "temp", "wind_speed", "precip", "visib", "pressure")
SCHEMA = ModelSchema(
    columns=(
        *(Column(name=name, kind="category") for name in CATEGORIES),
        *(Column(name=name, kind="number") for name in NUMBERS),
    )
)
pytestmark = [
    pytest.mark.shared,
    pytest.mark.full,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not DATA.is_dir(), reason="the data folder isn't beside the checkout"),
]


def flights() -> pa.Table:
    """Flights of January to August; late or cancelled is 1, known at landing or three hours after schedule."""
    rows = pd.read_parquet(DATA / "nyc_flights_2013-01_08.parquet")
    weather = pd.read_parquet(DATA / "nyc_weather_2013-01_08.parquet").drop_duplicates(["origin", "hour_local"])
    rows = rows[rows["cancelled"].astype(bool) | rows["late15"].notna()].sort_values("sched_dep_local", kind="stable")
    rows["hour_local"] = rows["sched_dep_local"].dt.floor("h")
    rows = rows.merge(weather[["origin", "hour_local", *NUMBERS[3:]]], on=["origin", "hour_local"], how="left")
    cancelled = rows["cancelled"].astype(bool)
    minutes = np.where(cancelled, 180, rows["dep_delay"].fillna(0) + rows["air_time"].fillna(rows["air_time"].median()) + 25)
    rows["hour"], rows["weekday"] = rows["sched_dep_local"].dt.hour, rows["sched_dep_local"].dt.dayofweek
    rows["time_ms"] = (rows["sched_dep_local"] - pd.Timestamp("2013-01-01")) // pd.Timedelta("1ms")
    rows["known_ms"] = rows["time_ms"] + (minutes * 60_000).astype("int64")
    rows["label"] = (cancelled | (rows["late15"] == 1)).astype("float64")
    rows["id"] = [f"f{index}" for index in range(len(rows))]
    return pa.Table.from_pandas(rows[["id", "time_ms", "known_ms", "label", *CATEGORIES, *NUMBERS]], preserve_index=False)


def test_windows_of_known_outcomes_make_the_model_better_on_later_months(tmp_path: Path):
    pq.write_table(flights(), tmp_path / "flights.parquet")
    common: dict[str, Any] = {"lake": str(tmp_path / "lake"), "registry": str(tmp_path / "registry"), "model": "flights"}
    first = {"schema": SCHEMA, "skew_ms": HOUR_MS}
    history = {"lake": common["lake"], "model": "flights", "schema": SCHEMA, "table": str(tmp_path / "flights.parquet")}
    import_history.run(import_history.Input(**history, name="past"), tmp_path)
    winter = {"until_ms": 59 * DAY_MS, "train_ms": 59 * DAY_MS, "sealed_ms": DAY_MS}
    data = build_dataset.run(build_dataset.Input(**common, **winter, **first), tmp_path)
    common["champion"] = train_xgboost.run(train_xgboost.Input(**common, train=data.train, **first), tmp_path).digest

    spring = {"until_ms": 212 * DAY_MS, "train_ms": 212 * DAY_MS, "sealed_ms": (212 - 73) * DAY_MS}
    data = build_dataset.run(build_dataset.Input(**common, **spring), tmp_path)
    asked = propose_windows.Input(**common, train=data.train, until_ms=73 * DAY_MS, seed=0)
    found = propose_windows.run(asked, tmp_path)
    assert found.accepted
    windows = tuple(one.window for one in found.accepted)
    assert (windows[0].source, windows[0].aggregate, windows[0].column) == ("outcomes", "mean", LABEL)
    assert all(one.low > 0 and one.p_value <= 0.05 for one in found.accepted)

    plain, wide = (
        train_xgboost.run(train_xgboost.Input(**common, train=data.train, windows=kept), tmp_path).digest
        for kept in ((), windows)
    )
    against = compare_models.Input(**{**common, "champion": plain}, challenger=wide, sealed=data.sealed)
    difference = compare_models.run(against, tmp_path).metric.difference
    assert difference.low > 0.02, "alone 0.69, with windows about 0.73 on the months after"
