"""What all parts of the ledger share: reading, and changing, where each change is one transaction with its audit record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from daemon.ledger import audit
from streams.runtime.clock import WallClock


class Transition(NamedTuple):
    """A change that is on disk: what kind, of what, and which step or state it reached."""

    kind: str
    subject: str
    reached: str


Observer = Callable[[Transition], None]


class Change(NamedTuple):
    """An open transaction; `data` becomes the audit record's data."""

    session: Session
    data: dict[str, Any]


def unobserved(transition: Transition) -> None:
    """Observe nothing."""


class Store:
    """Sessions on one database.

    Calls are synchronous on purpose: a durable commit takes about half a millisecond, less than a hop to a thread and back.

    Args:
        engine: the opened database.
        wall: for the audit's wall-clock column, leases and approvals.
        observer: called after each commit; tests kill the process in it.
        is_alone: nobody else can work on this database, so a lease of another owner is a dead one's.
    """

    def __init__(self, engine: Engine, wall: WallClock, observer: Observer = unobserved, *, is_alone: bool = False) -> None:
        self._engine = engine
        self._wall = wall
        self._observer = observer
        self._is_alone = is_alone
        self._sessions = sessionmaker(engine, expire_on_commit=False)

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with self._sessions() as session:
            yield session

    @contextmanager
    def _changing(self, kind: str, *, model: str, subject: str, time_ms: int) -> Iterator[Change]:
        with self._sessions.begin() as session:
            change = Change(session, {})
            yield change
            audit.append(
                session, time_ms=time_ms, wall=self._wall.now().isoformat(timespec="milliseconds"), kind=kind, model=model,
                subject=subject, data=change.data,
            )  # fmt: skip
        self._observer(Transition(kind, subject, str(change.data.get("step") or change.data.get("to") or "")))

    def wall_ms(self) -> int:
        """Wall-clock time in epoch milliseconds, for leases and approvals."""
        return int(self._wall.now().timestamp() * 1_000)
