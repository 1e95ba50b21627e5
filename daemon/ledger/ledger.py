"""The ledger: the durable truth of the control plane, behind one small class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from daemon.ledger import audit, sqlite
from daemon.ledger.audit import AuditFault, AuditRecord, Examined, Head, Key, Only
from daemon.ledger.calls import Calls
from daemon.ledger.chain import examine
from daemon.ledger.engine import open_engine, url_of
from daemon.ledger.goals import Goals
from daemon.ledger.ids import incident_in
from daemon.ledger.inbox import Inbox
from daemon.ledger.incidents import Incidents
from daemon.ledger.memory import Memory
from daemon.ledger.pages import Pages
from daemon.ledger.playbooks import Playbooks
from daemon.ledger.steps import Steps
from daemon.ledger.store import Observer, unobserved
from streams.runtime.clock import SystemClock, WallClock


class Ledger(Inbox, Incidents, Steps, Memory, Playbooks, Calls, Goals, Pages):
    """Events, incidents, plans, steps, approvals, experiments, lessons, playbooks, budgets, calls, goals, commands; the audit."""

    def head(self) -> Head:
        """Return the audit's newest number and hash."""
        with self._reading() as session:
            return audit.head(session)

    def verify(self, anchor: Head | None = None) -> AuditFault | None:
        """Return the first audit record that was altered, removed or reordered, None when the chain is whole.

        Args:
            anchor: a head noted elsewhere (it is published on the audit topic); shows a chain whose end was cut off or rewritten.
        """
        return self.examine(anchor).fault

    def examine(self, anchor: Head | None = None) -> Examined:
        """Walk the audit from its beginning, and say what was found; seals are checked with the key that the ledger has."""
        with self.chain() as records:
            return examine(records, anchor, self._key)

    @contextmanager
    def chain(self) -> Iterator[Iterator[AuditRecord]]:
        """Give the whole audit as it stands at this moment, in order."""
        with self._reading() as session, audit.walk(session) as records:
            yield records

    def trail(
        self, subject: str | None = None, after: int = 0, limit: int = 10_000, only: Only | None = None
    ) -> list[AuditRecord]:
        """Read audit records in order, of one subject (incident, event or command id), narrowed further by `only`, or all.

        Raises:
            LedgerError: what one holds was altered into something that isn't data.
        """
        wanted = only or Only()
        with self._reading() as session:
            return list(audit.records(session, wanted if subject is None else wanted._replace(subject=subject), after, limit))

    def note(self, kind: str, model: str, subject: str, now_ms: int, **data: Any) -> None:
        """Add an observation to the audit that changes nothing else."""
        with self._changing(kind, model=model, subject=subject, time_ms=now_ms) as change:
            change.incident = incident_in(subject)
            change.data.update(data)

    def close(self) -> None:
        """Give the database back."""
        self._engine.dispose()


@contextmanager
def open_ledger(
    place: str | Path,
    *,
    read_only: bool = False,
    wall: WallClock | None = None,
    observer: Observer = unobserved,
    models: Sequence[str] | None = None,
    key: Key | None = None,
) -> Iterator[Ledger]:
    """Open a ledger; a writer brings its schema up to date and has it, or on a server its models, to itself.

    Args:
        place: path of a SQLite file, or a URL.
        read_only: for looking on while a daemon works; nothing can be written.
        wall: the wall clock; the machine's own by default.
        observer: called after each commit.
        models: whose changes are written; on a server other daemons may have other models. None stands for all.
        key: seals what is added to the audit, and checks its seals.

    Raises:
        LedgerError: it isn't there, is too new or too old, or another daemon has it.
    """
    with ExitStack() as undo:
        file = sqlite.file_of(url_of(place))
        if file is not None and not read_only:
            undo.enter_context(sqlite.lock_file(file))
        engine = open_engine(place, read_only=read_only, models=models)
        ledger = Ledger(engine, wall or SystemClock(), observer, models=models, key=key)
        undo.callback(ledger.close)
        yield ledger
