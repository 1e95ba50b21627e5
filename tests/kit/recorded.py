"""Recorded streams as facts, whole: requests, and outcomes from when they were known. The data lie beside the checkout."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from streams.contracts.features import Source, Window
from streams.contracts.schema import Column, ModelSchema
from streams.features.text import parse_window

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
DAY_MS = 86_400_000
RANGES = ("10m", "1h", "1d", "7d", "30d")
SPENDING = tuple(
    f"{what} by {key} over {size}"
    for key in ("customer", "terminal")
    for size in RANGES
    for what in ("count(requests)", "mean(amount)")
)
RISK = tuple(f"{what} by terminal over {size}" for size in RANGES for what in ("count(outcomes)", "mean(outcome.label)"))


class Recorded(NamedTuple):
    """A recorded stream: `requests` with `time_ms` and the schema's columns, `outcomes` with `known_ms` and `label` too."""

    schema: ModelSchema
    requests: pa.Table
    outcomes: pa.Table
    windows: tuple[Window, ...]

    @property
    def facts(self) -> dict[Source, pa.Table]:
        """Both tables by source."""
        return {"requests": self.requests, "outcomes": self.outcomes}


def fraud() -> Recorded:
    """Card payments: 31 windows of customers, terminals, and terminals' risk from labels that are known after a week."""
    table = pd.read_parquet(DATA / "fraud_handbook_2018-04_07.parquet")
    rows = {
        "time_ms": table["tx_datetime"].astype("int64"),
        "customer": table["customer_id"].astype("float64"),
        "terminal": table["terminal_id"].astype("float64"),
        "amount": table["tx_amount"].astype("float64"),
    }
    windows = (*SPENDING, *RISK, "mean(outcome.label) over 1d")
    return _recorded(rows, rows["time_ms"] + 7 * DAY_MS, table["tx_fraud"], windows)


def flights() -> Recorded:
    """Departures of New York: how late an origin, a carrier and a plane were in the hours before."""
    table = pd.read_parquet(DATA / "nyc_flights_2013-01_08.parquet")
    rows = {"time_ms": table["sched_dep_local"].astype("int64"), "distance": table["distance"].astype("float64")}
    rows |= {name: _texts(table[name]) for name in ("carrier", "origin", "tailnum")}
    landed_ms = rows["time_ms"] + (table["dep_delay"] + table["air_time"] + 25) * 60_000
    windows = (
        "mean(outcome.label) by origin over 2h",
        "mean(outcome.label) by carrier, origin over 4h",
        "count(outcomes) by origin over 30m where label > 0",
        "last(outcome.label) by tailnum over 1d",
        "since(requests) by tailnum over 7d",
        "distinct(carrier) by origin over 1h",
        "max(distance) by carrier over 1d",
    )
    return _recorded(rows, landed_ms, table["late15"], windows)


def hotel() -> Recorded:
    """Bookings of two hotels: how many of an agent's and a country's were cancelled, as far as it was known."""
    table = pd.read_parquet(DATA / "hotel_bookings.parquet")
    rows = {
        "time_ms": table["booking_date"].astype("int64"),
        "lead_time": table["lead_time"].astype("float64"),
        "price": table["adr"].astype("float64"),
        "agent": table["agent"].astype("float64"),
        "hotel": _texts(table["hotel"]),
        "country": _texts(table["country"]),
    }
    windows = (
        "mean(outcome.label) by agent over 30d",
        "count(outcomes) by agent over 90d where label > 0",
        "mean(outcome.label) by country, hotel over 180d known 7d before",
        "std(price) by hotel over 30d",
        "min(price) by country over 7d where lead_time > 30",
        "ratio(price) by hotel over 7d",
        "lag(lead_time, 2) by agent over 30d",
    )
    return _recorded(rows, table["reservation_status_date"].astype("int64"), table["is_canceled"], windows)


def _texts(values: pd.Series) -> pd.Series:
    return values.astype(object).where(values.notna(), None)


def _recorded(rows: dict[str, pd.Series], known_ms: pd.Series, label: pd.Series, windows: tuple[str, ...]) -> Recorded:
    kinds = {name: "category" if values.dtype == object else "number" for name, values in rows.items() if name != "time_ms"}
    requests = pd.DataFrame(rows)
    # A label isn't known before its request.
    outcomes = requests.assign(known_ms=np.maximum(known_ms, rows["time_ms"]), label=label.astype("float64")).drop(
        columns="time_ms"
    )
    outcomes = outcomes[outcomes["label"].notna() & outcomes["known_ms"].notna()].astype({"known_ms": "int64"})
    schema = ModelSchema(columns=tuple(Column(name=name, kind=kind) for name, kind in kinds.items()))
    return Recorded(
        schema,
        pa.Table.from_pandas(requests.sort_values("time_ms", kind="stable"), preserve_index=False),
        pa.Table.from_pandas(outcomes.sort_values("known_ms", kind="stable"), preserve_index=False),
        tuple(map(parse_window, windows)),
    )
