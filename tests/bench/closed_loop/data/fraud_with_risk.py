"""The card payments with a column that another team computes: each terminal's share of fraud over 28 days.

The champion trusts that column and has no window of its own over outcomes, so it matters when the column dies.
"""

from __future__ import annotations

from pathlib import Path

from streams.contracts.schema import Column, ModelSchema
from tests.bench.closed_loop.data import fraud
from tests.bench.closed_loop.data.base import DataSet
from tests.bench.closed_loop.data.past import known_mean
from tests.bench.closed_loop.rows import DAY_MS, check

NAME = "fraud_with_risk"
RISK = "terminal_risk"
RANGE_DAYS = 28
SCHEMA = ModelSchema(columns=(*fraud.COLUMNS, Column(name=RISK, kind="number")))


def load(folder: Path) -> DataSet:
    """Read the payments, and compute the column from what was known before each."""
    plain = fraud.load(folder)
    rows = plain.rows
    computed = known_mean(rows["terminal_id"], rows["time_ms"], rows["known_ms"], rows["label"], RANGE_DAYS * DAY_MS)
    windows = tuple(window for days in fraud.RANGES_DAYS for window in fraud.spending(days))
    return plain._replace(name=NAME, schema=SCHEMA, rows=check(rows.assign(**{RISK: computed}), SCHEMA), windows=windows)
