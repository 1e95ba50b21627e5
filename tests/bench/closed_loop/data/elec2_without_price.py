"""Electricity in New South Wales without the price that the label is about."""

from __future__ import annotations

from pathlib import Path

from tests.bench.closed_loop.data import elec2
from tests.bench.closed_loop.data.base import DataSet

NAME = "elec2_without_price"


def load(folder: Path) -> DataSet:
    """Read the half hours; day 0 is 1996-05-07."""
    return elec2.read(folder, NAME, tuple(column for column in elec2.COLUMNS if column != elec2.PRICE))
