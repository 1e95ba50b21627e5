"""Card payments of 2018, simulated by the Fraud Detection Handbook: which of them are fraud is known a week later.

Le Borgne, Siblini, Lebichot, Bontempi: Reproducible Machine Learning for Credit Card Fraud Detection, Practical Handbook,
Université Libre de Bruxelles, 2022. The windows are the book's: what a customer spent, and how often a terminal was
compromised, over a day, a week and a month.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from streams.contracts.features import LABEL, Window
from streams.contracts.schema import Column, ModelSchema
from tests.bench.closed_loop.data.base import DataSet, assembled, midnight_ms, milliseconds
from tests.bench.closed_loop.rows import DAY_MS

NAME = "fraud"
FILE = "fraud_handbook_2018-04_07.parquet"
LABEL_DELAY_MS = 7 * DAY_MS
RANGES_DAYS = (1, 7, 30)
# Investigators' findings come in batches: a terminal's record is a few hours old when it is read.
RISK_DELAY_MS = 6 * 3_600_000
LAST_NIGHT_HOUR = 6

COLUMNS = (
    *(Column(name=name, kind="number") for name in ("amount", "local_hour", "weekend", "night")),
    Column(name="customer_id", kind="category", role="key"),
    Column(name="terminal_id", kind="category", role="key"),
)
SCHEMA = ModelSchema(columns=COLUMNS)


def spending(days: int) -> tuple[Window, Window]:
    """Return a customer's payments and their mean amount over some days."""
    by, range_ms = ("customer_id",), days * DAY_MS
    return (
        Window(aggregate="count", source="requests", by=by, range_ms=range_ms),
        Window(aggregate="mean", source="requests", column="amount", by=by, range_ms=range_ms),
    )


def risk(days: int) -> tuple[Window, Window]:
    """Return a terminal's known outcomes and the share of fraud among them over some days; the label's delay is in the facts."""
    place: dict[str, Any] = {"source": "outcomes", "by": ("terminal_id",), "range_ms": days * DAY_MS, "delay_ms": RISK_DELAY_MS}
    return Window(aggregate="count", **place), Window(aggregate="mean", column=LABEL, **place)


WINDOWS = tuple(window for days in RANGES_DAYS for window in (*spending(days), *risk(days)))


def load(folder: Path) -> DataSet:
    """Read the payments of 122 days; day 0 is 2018-04-01."""
    rows = assembled(columns(pd.read_parquet(folder / FILE)), SCHEMA)
    return DataSet(
        name=NAME,
        schema=SCHEMA,
        rows=rows,
        epoch_ms=midnight_ms("2018-04-01"),
        windows=WINDOWS,
        expressions=(),
        skew_ms=3_600_000,
        metric="average_precision",
        group="week",
        amount="amount",
    )


def columns(payments: pd.DataFrame) -> dict[str, Any]:
    """Return the table's columns. The cause of a fraud (`tx_fraud_scenario`) is read by nobody."""
    when = payments["tx_datetime"]
    time_ms = milliseconds(when)
    return {
        "id": payments["transaction_id"].map("{:07d}".format),
        "time_ms": time_ms,
        # The file holds single precision; cents are exact again after rounding.
        "amount": payments["tx_amount"].astype("float64").round(2),
        "local_hour": when.dt.hour,
        "weekend": when.dt.dayofweek >= 5,
        "night": when.dt.hour <= LAST_NIGHT_HOUR,
        # Fixed width, so that keys sort like the numbers they are.
        "customer_id": payments["customer_id"].map("c{:04d}".format),
        "terminal_id": payments["terminal_id"].map("t{:04d}".format),
        "label": payments["tx_fraud"],
        "known_ms": time_ms + LABEL_DELAY_MS,
    }
