"""Bookings of two Portuguese hotels: whether they will be cancelled, which is known sooner for those that are.

Antonio, de Almeida, Nunes: Hotel booking demand datasets. Data in Brief 22, 2019, 41-49. Columns that are written after the
booking (status, assigned room, changes, days on the waiting list) are read by nobody. Parking spaces are left out too: no
cancelled booking has one, so they are entered at arrival.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from streams.contracts.schema import Column, ModelSchema
from tests.bench.closed_loop.data.base import DataSet, assembled, categories, midnight_ms, milliseconds, numbered
from tests.bench.closed_loop.rows import DAY_MS

NAME = "hotel"
FILE = "hotel_bookings.parquet"
# Outside, the arrivals that the source covers cut the bookings.
FIRST, END = "2015-07-01", "2017-03-01"
NUMBERS = (
    "lead_time",
    "arrival_date_week_number",
    "stays_in_weekend_nights",
    "stays_in_week_nights",
    "adults",
    "children",
    "babies",
    "is_repeated_guest",
    "previous_cancellations",
    "previous_bookings_not_canceled",
    "adr",
    "total_of_special_requests",
)
CATEGORIES = (
    "hotel",
    "meal",
    "country",
    "market_segment",
    "distribution_channel",
    "reserved_room_type",
    "deposit_type",
    "agent",
    "company",
    "customer_type",
)
SCHEMA = ModelSchema(
    columns=(
        *(Column(name=name, kind="number") for name in NUMBERS),
        *(Column(name=name, kind="category") for name in CATEGORIES),
    )
)


def load(folder: Path) -> DataSet:
    """Read the bookings made from July 2015 to February 2017; day 0 is 2015-07-01."""
    bookings = pd.read_parquet(folder / FILE)
    made = bookings["booking_date"]
    chosen = bookings[(made >= FIRST) & (made < END)].reset_index(drop=True)
    return DataSet(
        name=NAME,
        schema=SCHEMA,
        rows=assembled(_columns(chosen), SCHEMA),
        epoch_ms=midnight_ms(FIRST),
        windows=(),
        expressions=(),
        skew_ms=DAY_MS,
        metric="auc",
        group="month",
        further=("brier",),
    )


def _columns(bookings: pd.DataFrame) -> dict[str, Any]:
    """Return the table's columns. The source knows days only: a booking is at its day's beginning, a status at its day's end."""
    return {
        "id": numbered(len(bookings)),
        "time_ms": milliseconds(bookings["booking_date"]),
        **{name: bookings[name] for name in NUMBERS},
        **{name: categories(bookings[name]) for name in CATEGORIES},
        "label": bookings["is_canceled"],
        "known_ms": milliseconds(bookings["reservation_status_date"]) + DAY_MS,
    }
