"""Ledgers on both databases, and somebody who tampers with them."""

from functools import partial
from pathlib import Path

import pytest

from tests.kit import ledgers


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty ledger can be opened."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger.sqlite")
    return str(request.getfixturevalue("postgres").database())


@pytest.fixture
def tamper(place: str) -> ledgers.Tamper:
    """Run statements past the ledger, by somebody who may do everything with the database."""
    return partial(ledgers.tamper, place)
