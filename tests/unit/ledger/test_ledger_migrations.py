"""The schema's versions: what an earlier one holds is kept, and the tables are what the newest makes."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine, insert, inspect, select

from daemon.errors import LedgerError
from daemon.ledger.canonical import canonical, digest_of_bytes
from daemon.ledger.engine import MIGRATIONS, url_of
from daemon.ledger.ledger import open_ledger
from daemon.ledger.tables import Table
from tests.kit.ledgers import Tamper, migrate

# Written by driftwake 0.1.0.
OLD = Path(__file__).parents[2] / "fixtures" / "state-0.1.0" / "ledger.sqlite"
FIRST_RULE = ("number", "time_ms", "wall", "kind", "model", "subject", "data", "previous")


@pytest.fixture
def old(place: str, tmp_path: Path) -> str:
    """A ledger of the first version with what 0.1.0 wrote in it, on either database."""
    if url_of(place).get_backend_name() == "sqlite":
        shutil.copy(OLD, place)
        return place
    source = create_engine(f"sqlite:///{shutil.copy(OLD, tmp_path / 'old.sqlite')}")
    target = create_engine(url_of(place))
    migrate(target, "0001")
    known = MetaData()
    known.reflect(target)
    with source.connect() as reader, target.begin() as writer:
        for table in known.sorted_tables:
            rows = [row._asdict() for row in reader.execute(select(table))]
            if rows and table.name != "alembic_version":
                writer.execute(insert(table), rows)
    source.dispose()
    target.dispose()
    return place


def contents(place: str) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables of the first version, in its columns."""
    with contextlib.closing(sqlite3.connect(f"file:{OLD}?immutable=1", uri=True)) as first:
        listed = first.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'").fetchall()
        columns = {name: [row[1] for row in first.execute(f"PRAGMA table_info({name})")] for (name,) in listed}
    engine = create_engine(url_of(place))
    known = MetaData()
    known.reflect(engine)
    with engine.connect() as connection:
        found = {
            name: sorted(map(tuple, connection.execute(select(*(known.tables[name].c[one] for one in names)))), key=repr)
            for name, names in columns.items()
            if name != "alembic_version"
        }
    engine.dispose()
    return found


def test_an_upgrade_keeps_all_that_was_there(old: str, tamper: Tamper) -> None:
    before = contents(old)
    assert len(before["audit"]) > 20
    with open_ledger(old) as ledger:
        assert ledger.verify() is None
        head = ledger.head()
        assert {record.version for record in ledger.trail()} == {1}
        ledger.note("noted", "toys", "s", 1)
        assert ledger.verify(head) is None
        assert [record.version for record in ledger.trail(after=head.number)] == [2]
    with open_ledger(old) as ledger:
        assert ledger.verify(head) is None
    tamper(f"DELETE FROM audit WHERE number > {head.number}")  # noqa: S608 - our own words
    assert contents(old) == before


@pytest.mark.parametrize("change", ["actor = 'person:ann'", "incident = 'x'", "seal = 'x'", "version = 2", "kind = 'x'"])
def test_records_of_before_are_held_to_the_rule_of_before(old: str, tamper: Tamper, change: str) -> None:
    with open_ledger(old) as ledger:
        ledger.note("noted", "toys", "s", 1)
        tamper(f"UPDATE audit SET {change} WHERE number = 7")  # noqa: S608 - our own words
        fault = ledger.verify()
        assert fault is not None
        assert fault.number == 7


def test_records_are_not_turned_into_older_ones(old: str, tamper: Tamper) -> None:
    with open_ledger(old) as ledger:
        head = ledger.head()
        ledger.note("noted", "toys", "s", 1)
        ledger.note("noted", "toys", "s", 2)
        (record,) = ledger.trail(after=head.number + 1)
        told = {name: getattr(record, name) for name in FIRST_RULE}
        digest = digest_of_bytes(canonical(told))
        tamper(f"UPDATE audit SET version = 1, actor = '', hash = '{digest}' WHERE number = {record.number}")  # noqa: S608
        fault = ledger.verify()
        assert fault is not None
        assert fault.number == head.number + 2


def test_migrations_make_what_the_tables_say(place: str) -> None:
    with open_ledger(place):
        pass
    engine = create_engine(url_of(place))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []
        indexed = {index["column_names"][0] for index in inspect(connection).get_indexes("audit")}
    engine.dispose()
    assert {"incident", "model", "actor", "kind", "time_ms", "subject"} <= indexed


def test_the_versions_are_one_line() -> None:
    scripts = ScriptDirectory(str(MIGRATIONS))
    assert len(scripts.get_heads()) == len(scripts.get_bases()) == 1
    files = [file.stem for file in (MIGRATIONS / "versions").glob("v*.py")]
    assert sorted(file[1:5] for file in files) == sorted(script.revision for script in scripts.walk_revisions())


def test_a_missing_or_newer_ledger_is_refused(place: str, tamper: Tamper) -> None:
    with pytest.raises(LedgerError, match="no ledger"), open_ledger(place, read_only=True):
        pass
    with open_ledger(place):
        pass
    tamper("UPDATE alembic_version SET version_num = '9999'")
    for read_only in (True, False):
        with pytest.raises(LedgerError, match="newer"), open_ledger(place, read_only=read_only):
            pass


def test_an_older_ledger_isn_t_read_before_it_is_brought_up_to_date(old: str) -> None:
    with pytest.raises(LedgerError, match="start the daemon once"), open_ledger(old, read_only=True):
        pass
