"""Car loans, synthetic, by NannyML (package nannyml, Apache-2.0): whether they are repaid.

From row 75,000 on, on the last day of March 2019, the applicants are others, and a model of before is wrong about more of them.
The source says nothing of label delays; here a label is known 60 days later. Its own model's scores are read by nobody.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from streams.contracts.schema import Column, ModelSchema
from tests.bench.closed_loop.data.base import DataSet, assembled, categories, midnight_ms, milliseconds, numbered
from tests.bench.closed_loop.rows import DAY_MS

NAME = "car_loan"
FILE = "nannyml_car_loan.parquet"
LABEL_DELAY_MS = 60 * DAY_MS
NUMBERS = ("car_value", "debt_to_income_ratio", "loan_length", "repaid_loan_on_prev_car", "driver_tenure")
CATEGORIES = ("salary_range", "size_of_downpayment")
SCHEMA = ModelSchema(
    columns=(
        *(Column(name=name, kind="number") for name in NUMBERS),
        *(Column(name=name, kind="category") for name in CATEGORIES),
    )
)


def load(folder: Path) -> DataSet:
    """Read the applications of 606 days; day 0 is 2018-01-01."""
    loans = pd.read_parquet(folder / FILE)
    time_ms = milliseconds(loans["timestamp"])
    keys = {"id": numbered(len(loans)), "time_ms": time_ms, "label": loans["repaid"], "known_ms": time_ms + LABEL_DELAY_MS}
    columns = {name: loans[name] for name in NUMBERS} | {name: categories(loans[name]) for name in CATEGORIES}
    return DataSet(
        name=NAME,
        schema=SCHEMA,
        rows=assembled(keys | columns, SCHEMA),
        epoch_ms=midnight_ms("2018-01-01"),
        windows=(),
        expressions=(),
        skew_ms=3_600_000,
        metric="accuracy",
        group="month",
    )
