"""Opening the database: SQLite in WAL mode by default, any SQLAlchemy URL else; brought to the newest schema at open."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO, Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import SQLAlchemyError

from daemon.errors import LedgerError

MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_MS = 30_000


def url_of(place: str | Path) -> URL:
    """Read a database URL, or the path of a SQLite file."""
    text = str(place)
    return make_url(text) if "://" in text else URL.create("sqlite", database=text)


def open_engine(place: str | Path, *, read_only: bool) -> Engine:
    """Connect, and unless `read_only` migrate to the newest schema.

    Raises:
        LedgerError: there is no such database, or it is newer than this program.
    """
    url = url_of(place)
    if url.get_backend_name() == "sqlite" and url.database:
        file = Path(url.database)
        if read_only and not file.exists():
            raise LedgerError(f"no ledger at {file}: has the daemon run with this data folder?")
    try:
        engine = create_engine(url)
        if engine.dialect.name == "sqlite":
            _prepare_sqlite(engine, "BEGIN" if read_only else "BEGIN IMMEDIATE")
        with engine.begin() as connection:
            _check(connection) if read_only else _migrate(connection)
    except SQLAlchemyError as error:
        raise LedgerError(f"ledger {url.render_as_string(hide_password=True)}: {error}") from error
    return engine


def lock_file(place: str | Path) -> IO[str] | None:
    """Take the ledger for this process alone, until it dies; only files can be locked, servers have leases.

    Raises:
        LedgerError: another daemon works on it.
    """
    url = url_of(place)
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    lock = Path(f"{url.database}.lock").open("w")  # noqa: SIM115 - held as long as the ledger is open
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise LedgerError(f"another daemon works on the ledger {url.database}: stop it first") from error
    return lock


def _prepare_sqlite(engine: Engine, begin: str) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # we begin ourselves: the driver's own begin comes too late for reads
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_MS}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


def _migrate(connection: Connection) -> None:
    config, newest = _scripts()
    found = MigrationContext.configure(connection).get_current_revision()
    if found == newest:
        return
    _refuse_newer(config, found)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _check(connection: Connection) -> None:
    config, newest = _scripts()
    found = MigrationContext.configure(connection).get_current_revision()
    if found != newest:
        _refuse_newer(config, found)
        raise LedgerError(
            f"the ledger has schema {found}, this program reads {newest}: start the daemon once to bring it up to date"
        )


def _scripts() -> tuple[Config, str | None]:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config, ScriptDirectory.from_config(config).get_current_head()


def _refuse_newer(config: Config, found: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise LedgerError(
            f"the ledger has schema {found}, which this program doesn't know: use the newer driftwake that wrote it"
        )
