"""The ledger: the durable truth of the control plane, behind one small class."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from daemon.ledger import audit
from daemon.ledger.audit import AuditFault, AuditRecord, Head
from daemon.ledger.engine import lock_file, open_engine
from daemon.ledger.inbox import Inbox
from daemon.ledger.incidents import Incidents
from daemon.ledger.memory import Memory
from daemon.ledger.steps import Steps
from daemon.ledger.store import Observer, unobserved
from streams.runtime.clock import SystemClock, WallClock


class Ledger(Inbox, Incidents, Steps, Memory):
    """Events, incidents, plans, steps, approvals, experiments, lessons, budgets, commands and the audit of all of it."""

    def head(self) -> Head:
        """Return the audit's newest number and hash."""
        with self._reading() as session:
            return audit.head(session)

    def verify(self, anchor: Head | None = None) -> AuditFault | None:
        """Return the first audit record that was altered, removed or reordered, None when the chain is whole.

        Args:
            anchor: a head noted elsewhere (it is published on the audit topic); shows a chain whose end was cut off or rewritten.
        """
        with self._reading() as session:
            return audit.first_fault(session, anchor)

    def trail(self, subject: str | None = None, after: int = 0, limit: int = 10_000) -> list[AuditRecord]:
        """Read audit records in order, of one subject (incident, event or command id) or of all."""
        with self._reading() as session:
            return list(audit.records(session, subject, after, limit))

    def note(self, kind: str, model: str, subject: str, now_ms: int, **data: Any) -> None:
        """Add an observation to the audit that changes nothing else."""
        with self._changing(kind, model=model, subject=subject, time_ms=now_ms) as change:
            change.data.update(data)

    def close(self) -> None:
        """Give the database back."""
        self._engine.dispose()


@contextmanager
def open_ledger(
    place: str | Path, *, read_only: bool = False, wall: WallClock | None = None, observer: Observer = unobserved
) -> Iterator[Ledger]:
    """Open a ledger; a writer brings its schema up to date and holds it alone.

    Args:
        place: path of a SQLite file, or any SQLAlchemy URL.
        read_only: for looking on while a daemon works.
        wall: the wall clock; the machine's own by default.
        observer: called after each commit.

    Raises:
        LedgerError: it isn't there, is too new or too old, or another daemon holds it.
    """
    lock = None if read_only else lock_file(place)
    try:
        ledger = Ledger(open_engine(place, read_only=read_only), wall or SystemClock(), observer, is_alone=lock is not None)
        try:
            yield ledger
        finally:
            ledger.close()
    finally:
        if lock is not None:
            lock.close()
