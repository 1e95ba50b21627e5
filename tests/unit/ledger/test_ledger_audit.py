from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from daemon.errors import LedgerError
from daemon.ledger.audit import Head
from daemon.ledger.canonical import canonical
from daemon.ledger.ids import incident_id
from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.tables import Table


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(file: Path) -> Iterator[Ledger]:
    with open_ledger(file) as opened:
        for number in range(20):
            opened.note("noted", "m", f"s{number}", number, value=number / 3, text=f"é{number}", odd=float("nan"))
        yield opened


def tamper(file: Path, statement: str) -> None:
    with sqlite3.connect(file) as raw:
        for change in ("update", "delete"):
            raw.execute(f"DROP TRIGGER IF EXISTS audit_no_{change}")
        raw.execute(statement)
    raw.close()


def test_a_whole_chain_has_no_fault(ledger: Ledger) -> None:
    assert ledger.verify() is None
    assert ledger.head().number == 20


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("UPDATE audit SET data = replace(data, 'é7', 'é8') WHERE number = 8", 8),
        ("UPDATE audit SET data = data || ' ' WHERE number = 9", 9),
        ("UPDATE audit SET time_ms = time_ms + 1 WHERE number = 5", 5),
        ("UPDATE audit SET wall = '' WHERE number = 1", 1),
        ("DELETE FROM audit WHERE number = 11", 11),
        ("DELETE FROM audit WHERE number = 1", 1),
        ("UPDATE audit SET number = CASE number WHEN 3 THEN -4 ELSE number END", 1),
        ("UPDATE audit SET hash = previous WHERE number = 20", 20),
    ],
)
def test_the_first_fault_is_found(ledger: Ledger, file: Path, statement: str, number: int) -> None:
    tamper(file, statement)
    fault = ledger.verify()
    assert fault is not None
    assert fault.number == number


def test_two_records_that_changed_places_are_found(ledger: Ledger, file: Path) -> None:
    tamper(file, "UPDATE audit SET number = -number WHERE number IN (6, 7)")
    tamper(file, "UPDATE audit SET number = 13 + number WHERE number < 0")
    fault = ledger.verify()
    assert fault is not None
    assert fault.number == 6
    assert "reordered" in fault.problem


def test_a_cut_or_rewritten_end_shows_against_a_head_kept_elsewhere(ledger: Ledger, file: Path) -> None:
    kept = ledger.head()
    assert ledger.verify(kept) is None
    assert ledger.verify(Head(kept.number, "f" * 64)) is not None
    tamper(file, "DELETE FROM audit WHERE number > 15")
    assert ledger.verify() is None
    fault = ledger.verify(kept)
    assert fault is not None
    assert fault.number == 16


def test_the_database_itself_refuses_changes_of_the_audit(ledger: Ledger, file: Path) -> None:
    with sqlite3.connect(file) as raw, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        raw.execute("DELETE FROM audit WHERE number = 3")
    raw.close()


def test_migrations_make_what_the_tables_say(ledger: Ledger, file: Path) -> None:
    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []
    engine.dispose()


def test_one_writer_any_number_of_readers(ledger: Ledger, file: Path) -> None:
    with pytest.raises(LedgerError, match="another daemon"), open_ledger(file):
        pass
    with open_ledger(file, read_only=True) as reader:
        assert reader.head() == ledger.head()


def test_a_missing_or_newer_ledger_is_refused(file: Path, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no ledger"), open_ledger(tmp_path / "none.sqlite", read_only=True):
        pass
    with open_ledger(file):
        pass
    with sqlite3.connect(file) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    with pytest.raises(LedgerError, match="newer"), open_ledger(file):
        pass


def test_settings_that_make_commits_durable(ledger: Ledger) -> None:
    with ledger._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


@given(st.lists(st.integers(0, 4_000_000_000_000), min_size=2, max_size=20))
def test_ids_sort_by_time_and_repeat(times: list[int]) -> None:
    ids = [incident_id("m", "c", time_ms, "e") for time_ms in sorted(times)]
    assert ids == sorted(ids)
    assert ids == [incident_id("m", "c", time_ms, "e") for time_ms in sorted(times)]


def test_canonical_json_doesn_t_depend_on_order_or_on_what_json_lacks() -> None:
    assert canonical({"b": 1, "a": [float("inf"), 2**60]}) == canonical({"a": [None, str(2**60)], "b": 1.0})
