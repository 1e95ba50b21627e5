"""Opening a ledger: who may write, what is durable, and what is said where that can't be."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from daemon.errors import LedgerError
from daemon.ledger import postgresql
from daemon.ledger.ledger import open_ledger
from tests.kit.control import MODEL, START, event


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "CLAIM_WAIT", "200ms")
    monkeypatch.setattr(postgresql, "TURN_WAIT", "500ms")


def test_one_writer_any_number_of_readers(place: str) -> None:
    with open_ledger(place) as ledger:
        ledger.note("noted", "m", "s", 1)
        for models in (None, ["m"]):
            with pytest.raises(LedgerError, match="another daemon"), open_ledger(place, models=models):
                pass
        with open_ledger(place, read_only=True) as one, open_ledger(place, read_only=True) as other:
            assert one.head() == other.head() == ledger.head()
            assert one.verify() is None
    with open_ledger(place) as ledger:
        assert ledger.head().number == 1


def test_a_reader_can_t_write(place: str) -> None:
    with open_ledger(place):
        pass
    with open_ledger(place, read_only=True) as reader:
        with pytest.raises(DBAPIError, match=r"readonly|read-only"):
            reader.note("noted", "m", "s", 1)
        assert reader.head().number == 0


def test_only_what_is_held_is_written(place: str) -> None:
    with open_ledger(place, models=["a"]) as ledger:
        ledger.note("noted", "a", "s", 1)
        with pytest.raises(LedgerError, match="only a to itself"):
            ledger.note("noted", "b", "s", 1)
        with pytest.raises(LedgerError, match=f"event.received of {MODEL}"):
            ledger.take_event(event(START))
        assert ledger.head().number == 1


def test_sqlite_commits_durably(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "ledger.sqlite") as ledger, ledger._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql+pg8000://host/base", r"pip install 'driftwake\[postgresql\]'"),
        ("mysql://host/base", "SQLite or PostgreSQL, not in mysql"),
        ("postgres://host/base", "SQLite or PostgreSQL, not in postgres"),
        ("postgresql+nothing://host/base", "postgresql.nothing"),
        ("://", "postgresql://user@host/database"),
    ],
)
def test_what_can_t_be_opened_says_what_can(url: str, told: str) -> None:
    with pytest.raises(LedgerError, match=told), open_ledger(url):
        pass


def test_a_server_that_isn_t_there_is_named_without_its_password(postgres: object) -> None:
    url = "postgresql://ann:hunter2@127.0.0.1:1/base"
    with pytest.raises(LedgerError, match=r"postgresql://ann:\*\*\*@127.0.0.1:1/base") as caught, open_ledger(url):
        pass
    assert "hunter2" not in str(caught.value)
