"""PostgreSQL as the ledger's database: who may write, and whether what is committed stays.

A daemon writes through one connection, which holds a lock for each of its models. The server takes the locks back when that
connection ends, so who writes has them, whatever became of clocks or networks, and a daemon that was killed is replaced at once.
Locks are advisory and belong to a session: a pooler between must not share sessions (PgBouncer: `pool_mode=session`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import URL, BigInteger, Connection, Engine, event, func, literal, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from daemon.errors import LedgerError

# How long a daemon waits for the locks of one that died a moment ago, and for the others' transactions.
CLAIM_WAIT: Final = "10s"
TURN_WAIT: Final = "30s"
# A connection whose other end is silent is given up within a minute, on both sides.
_CLIENT = {
    "application_name": "driftwake", "connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10,
    "keepalives_count": 3,
}  # fmt: skip
_SERVER = ("SET tcp_keepalives_idle = 30", "SET tcp_keepalives_interval = 10", "SET tcp_keepalives_count = 3")
_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
_TAKEN = frozenset({"55P03", "40P01"})  # lock_not_available, deadlock_detected


def options_of(url: URL, *, read_only: bool) -> dict[str, Any]:
    """Return how the engine is made; what the URL says itself stands."""
    given = {name: value for name, value in _CLIENT.items() if name not in url.query}
    one = {} if read_only else {"pool_size": 1, "max_overflow": 0}
    return {"connect_args": given, "isolation_level": "READ COMMITTED", "pool_pre_ping": True} | one


def prepare(engine: Engine, models: Sequence[str] | None, *, read_only: bool) -> None:
    """Have every connection hold the locks of `models` (None: of the whole ledger), or be unable to write."""

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        try:
            connection.rollback()  # of what SQLAlchemy has asked the server before
            if read_only:
                connection.read_only = True
            else:
                _claim(connection, models)
        except Exception:
            connection.close()
            raise


def check_durable(connection: Connection) -> None:
    """Look whether the server keeps what it has committed.

    Raises:
        LedgerError: it may lose some; the daemon would do again what it has done.
    """
    for name in _DURABLE:
        if connection.exec_driver_sql(f"SHOW {name}").scalar() == "off":
            raise LedgerError(f"the PostgreSQL server may lose what it has committed: set {name} to on for the ledger's role")


def take_all(connection: Connection) -> None:
    """Wait until no other daemon works on the ledger, and keep it so until the transaction ends."""
    connection.execute(select(func.pg_advisory_xact_lock(literal(_WHOLE, BigInteger))))


def take_turn(session: Session) -> None:
    """Make this transaction the only one that writes, until its end; it sees all that those before it wrote."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(literal(_TURN, BigInteger))))


def is_taken(error: Exception) -> bool:
    """Whether an error says that somebody else has what was waited for."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _TAKEN


def _claim(connection: Any, models: Sequence[str] | None) -> None:
    with connection.cursor() as cursor:
        for setting in (*_SERVER, f"SET lock_timeout = '{CLAIM_WAIT}'"):
            cursor.execute(setting)
        for lock, number in _locks(models):
            cursor.execute(lock, (number,))
        cursor.execute(f"SET lock_timeout = '{TURN_WAIT}'")
    connection.commit()


def _locks(models: Sequence[str] | None) -> Iterator[tuple[str, int]]:
    """The whole ledger is shared by those who have models of their own; in one order for all, so that nobody waits in a ring."""
    if models is None:
        yield "SELECT pg_advisory_lock(%s)", _WHOLE
        return
    yield "SELECT pg_advisory_lock_shared(%s)", _WHOLE
    for number in sorted(_number(f"model {model}") for model in models):
        yield "SELECT pg_advisory_lock(%s)", number


def _number(name: str) -> int:
    """Return the number of an advisory lock: 64 bits, signed."""
    return int.from_bytes(hashlib.sha256(f"driftwake ledger {name}".encode()).digest()[:8], "big", signed=True)


_WHOLE: Final = _number("whole")
_TURN: Final = _number("turn")
