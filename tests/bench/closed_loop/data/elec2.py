"""Electricity in New South Wales, every half hour: whether the price lies above its mean of the last day.

Harries: Splice-2 comparative evaluation: Electricity pricing. UNSW, 1999. With instant labels, repeating the last one is right
in 85 of 100 cases; here a label is known a day later.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from streams.contracts.schema import Column, ModelSchema
from tests.bench.closed_loop.data.base import DataSet, assembled, midnight_ms, milliseconds, numbered
from tests.bench.closed_loop.rows import DAY_MS

NAME = "elec2"
FILE = "elec2.parquet"
PRICE = "nswprice"
COLUMNS = ("day", "period", PRICE, "nswdemand", "vicprice", "vicdemand", "transfer")


def load(folder: Path) -> DataSet:
    """Read the half hours of 944 days; day 0 is 1996-05-07."""
    return read(folder, NAME, COLUMNS)


def read(folder: Path, name: str, columns: tuple[str, ...]) -> DataSet:
    """Read the half hours with some of their columns."""
    hours = pd.read_parquet(folder / FILE)
    schema = ModelSchema(columns=tuple(Column(name=column, kind="number") for column in columns))
    time_ms = milliseconds(hours["ts"])
    content = {column: hours[column] for column in columns}
    keys = {"id": numbered(len(hours)), "time_ms": time_ms, "label": hours["up"], "known_ms": time_ms + DAY_MS}
    return DataSet(
        name=name,
        schema=schema,
        rows=assembled(keys | content, schema),
        epoch_ms=midnight_ms("1996-05-07"),
        windows=(),
        expressions=(),
        skew_ms=3_600_000,
        metric="accuracy",
        group="week",
        further=("kappa_temporal",),
    )
