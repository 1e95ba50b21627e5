"""SQLite as the ledger's database: a file that one process writes, any number read, and that keeps what was committed."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO, Any

from sqlalchemy import URL, Connection, Engine, event

from daemon.errors import LedgerError

_BUSY_MS = 30_000
_DURABLE = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")


def prepare(engine: Engine, *, read_only: bool) -> None:
    """Have every connection commit durably, or be unable to write; and every transaction begin when it says so."""
    pragmas = ("query_only=ON",) if read_only else _DURABLE
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # we begin ourselves: the driver's own begin comes too late for reads
        for pragma in (f"busy_timeout={_BUSY_MS}", *pragmas):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


def file_of(url: URL) -> Path | None:
    """Return the file of a SQLite database; None when it is on a server or in memory."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def lock_file(file: Path) -> IO[str]:
    """Take a database for this process alone, until it dies.

    Raises:
        LedgerError: another daemon works on it.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = Path(f"{file}.lock").open("w")  # noqa: SIM115 - held as long as the ledger is open
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise LedgerError(f"another daemon works on the ledger {file}: stop it first") from error
    return lock
