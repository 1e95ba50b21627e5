"""Opening the database: a SQLite file by default, PostgreSQL by URL; brought to the newest schema at open."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from daemon.errors import LedgerError
from daemon.ledger import postgresql, sqlite

MIGRATIONS = Path(__file__).parent / "migrations"
_ABSENT = "has the daemon run with {}?"


def url_of(place: str | Path) -> URL:
    """Read a database URL, or the path of a SQLite file.

    Raises:
        LedgerError: it is neither.
    """
    text = str(place)
    try:
        url = make_url(text) if "://" in text else URL.create("sqlite", database=text)
    except ArgumentError as error:
        raise LedgerError("the ledger's URL can't be read; it is like postgresql://user@host/database") from error
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise LedgerError(f"a ledger is kept in SQLite or PostgreSQL, not in {url.get_backend_name()}")
    return url


def open_engine(place: str | Path, *, read_only: bool, models: Sequence[str] | None = None) -> Engine:
    """Connect, and unless `read_only` migrate to the newest schema.

    Args:
        place: a SQLite file or a URL.
        read_only: for connections that can't write.
        models: on a server, whose incidents are written; None stands for all, so that nobody else can write.

    Raises:
        LedgerError: there is no such database, it is newer than this program, or another daemon works on it.
    """
    url = url_of(place)
    file = sqlite.file_of(url)
    if read_only and file is not None and not file.exists():
        raise LedgerError(f"no ledger at {file}: {_ABSENT.format('this data folder')}")
    engine = _engine(url, models, read_only=read_only)
    try:
        with engine.begin() as connection:
            _check(connection) if read_only else _bring_up_to_date(connection)
    except SQLAlchemyError as error:
        engine.dispose()
        raise LedgerError(_told(url, error)) from error
    except LedgerError:
        engine.dispose()
        raise
    return engine


def _engine(url: URL, models: Sequence[str] | None, *, read_only: bool) -> Engine:
    is_server = url.get_backend_name() == "postgresql"
    try:
        engine = create_engine(url, **postgresql.options_of(url, read_only=read_only) if is_server else {})
    except ImportError as error:
        raise LedgerError(
            f"a ledger on PostgreSQL needs a driver ({error}): pip install 'driftwake[postgresql]' brings psycopg"
        ) from error
    except SQLAlchemyError as error:
        raise LedgerError(_told(url, error)) from error
    if is_server:
        postgresql.prepare(engine, models, read_only=read_only)
    else:
        sqlite.prepare(engine, read_only=read_only)
    return engine


def _told(url: URL, error: SQLAlchemyError) -> str:
    where = url.render_as_string(hide_password=True)
    if postgresql.is_taken(error):
        return f"another daemon works on the ledger {where}, or on models of ours in it: stop it first"
    return f"ledger {where}: {error}"


def _bring_up_to_date(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        postgresql.check_durable(connection)
    config, newest = _scripts()
    if _revision(connection) == newest:
        return
    if connection.dialect.name == "postgresql":
        postgresql.take_all(connection)
    found = _revision(connection)
    if found == newest:  # another daemon has done it while we waited
        return
    _refuse_newer(config, found)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _check(connection: Connection) -> None:
    config, newest = _scripts()
    found = _revision(connection)
    if found is None:
        raise LedgerError(f"no ledger in {connection.engine.url.render_as_string()}: {_ABSENT.format('this URL')}")
    if found != newest:
        _refuse_newer(config, found)
        raise LedgerError(
            f"the ledger has schema {found}, this program reads {newest}: start the daemon once to bring it up to date"
        )


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


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
