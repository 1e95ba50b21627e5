"""Rented bikes in Washington, every hour of two years: how many, which is known a day later.

Fanaee-T, Gama: Event labeling combining ensemble detectors and background knowledge. Progress in Artificial Intelligence, 2013,
doi 10.1007/s13748-013-0040-3. Casual and registered rentals add up to the label and are read by nobody; neither is the year.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from streams.contracts.schema import Column, ModelSchema
from tests.bench.closed_loop.data.base import DataSet, assembled, midnight_ms, milliseconds, numbered
from tests.bench.closed_loop.rows import DAY_MS

NAME = "bike"
FILE = "bike_sharing_hourly.parquet"
COLUMNS = ("season", "mnth", "hr", "holiday", "weekday", "workingday", "weathersit", "temp", "atemp", "hum", "windspeed")
SCHEMA = ModelSchema(task="regression", columns=tuple(Column(name=name, kind="number") for name in COLUMNS))


def load(folder: Path) -> DataSet:
    """Read the hours of 731 days; day 0 is 2011-01-01."""
    hours = pd.read_parquet(folder / FILE)
    time_ms = milliseconds(hours["ts"])
    keys = {"id": numbered(len(hours)), "time_ms": time_ms, "label": hours["cnt"], "known_ms": time_ms + DAY_MS}
    return DataSet(
        name=NAME,
        schema=SCHEMA,
        rows=assembled(keys | {name: hours[name] for name in COLUMNS}, SCHEMA),
        epoch_ms=midnight_ms("2011-01-01"),
        windows=(),
        expressions=(),
        skew_ms=3_600_000,
        metric="negative_rmse",
        group="month",
    )
