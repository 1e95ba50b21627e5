"""What all parts of the ledger share: reading, and changing, where each change is one transaction with its audit record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from daemon.errors import LedgerError
from daemon.ledger import audit
from daemon.ledger.actors import DAEMON
from daemon.ledger.audit import Entry, Key
from daemon.ledger.postgresql import take_turn
from streams.runtime.clock import WallClock


class Transition(NamedTuple):
    """A change that is on disk: what kind, of what, and which step or state it reached."""

    kind: str
    subject: str
    reached: str


Observer = Callable[[Transition], None]


class Note(NamedTuple):
    """What a change does beside what it is for, as a record of the audit of its own: the daemon does it."""

    kind: str
    subject: str
    data: dict[str, Any]


@dataclass
class Change:
    """An open transaction. The rest becomes its audit record: `data`, who acts, and the incident that it belongs to.

    A record for each of `also` follows it.
    """

    session: Session
    data: dict[str, Any] = field(default_factory=dict)
    actor: str = DAEMON
    incident: str = ""
    also: list[Note] = field(default_factory=list)


def unobserved(transition: Transition) -> None:
    """Observe nothing."""


class Store:
    """Sessions on one database.

    Calls are synchronous on purpose: a durable commit takes about half a millisecond, less than a hop to a thread and back.

    Args:
        engine: the opened database.
        wall: for the audit's wall-clock column, leases and approvals.
        observer: called after each commit; tests kill the process in it.
        models: whose changes may be written, None for all; nobody else writes them as long as this is open.
        key: seals the audit's records.
    """

    def __init__(
        self,
        engine: Engine,
        wall: WallClock,
        observer: Observer = unobserved,
        *,
        models: Sequence[str] | None = None,
        key: Key | None = None,
    ) -> None:
        self._engine = engine
        self._wall = wall
        self._observer = observer
        self._models = frozenset(models) if models is not None else None
        self._key = key
        self._sessions = sessionmaker(engine, expire_on_commit=False)

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with self._sessions() as session:
            yield session

    @contextmanager
    def _changing(self, kind: str, *, model: str, subject: str, time_ms: int) -> Iterator[Change]:
        if self._models is not None and model not in self._models:
            raise LedgerError(f"{kind} of {model}: this daemon has only {', '.join(sorted(self._models))} to itself")
        with self._sessions.begin() as session:
            take_turn(session)
            change = Change(session)
            yield change
            wall = self._wall.now().isoformat(timespec="milliseconds")
            entry = Entry(time_ms, wall, kind, change.actor, model, subject, change.incident, change.data)
            audit.append(session, entry, self._key)
            for note in change.also:
                beside = entry._replace(kind=note.kind, actor=DAEMON, subject=note.subject, data=note.data)
                audit.append(session, beside, self._key)
        self._observer(Transition(kind, subject, str(change.data.get("step") or change.data.get("to") or "")))

    def wall_ms(self) -> int:
        """Wall-clock time in epoch milliseconds, for leases and approvals."""
        return int(self._wall.now().timestamp() * 1_000)
