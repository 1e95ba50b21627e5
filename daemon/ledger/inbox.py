"""What came in: events and commands, each taken once by its id."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import select, tuple_

from daemon.access.roles import UNPROVEN
from daemon.ledger.actors import person
from daemon.ledger.canonical import plain
from daemon.ledger.hostile import check_command, check_event
from daemon.ledger.ids import IncidentId
from daemon.ledger.store import Store
from daemon.ledger.tables import CommandRow, EventRow
from streams.contracts.events import DriftEvent
from streams.contracts.records import Command

CommandState = Literal["applied", "rejected"]


class Order(NamedTuple):
    """A command with its number in order of arrival, what became of it and why, what who gave it may, and when he gave it.

    `taken_wall_ms` is None for one of before that was noted.
    """

    number: int
    command: Command
    state: str
    reason: str
    applied_ms: int | None
    role: str = UNPROVEN
    taken_wall_ms: int | None = None


class Inbox(Store):
    """Events and commands."""

    def take_event(self, event: DriftEvent) -> bool:
        """Store an event for triage; false when it was already known.

        Raises:
            ContractError: it can't be kept as it is.
        """
        check_event(event)
        with self._reading() as session:
            if session.get(EventRow, event.id) is not None:
                return False
        with self._changing("event.received", model=event.model, subject=event.id, time_ms=event.time_ms) as change:
            data = plain(event)
            change.session.add(
                EventRow(
                    id=event.id,
                    model=event.model,
                    kind=event.kind,
                    transition=event.transition,
                    time_ms=event.time_ms,
                    decision="new",
                    reason="",
                    incident_id=None,
                    data=data,
                )
            )
            change.data.update(data)
        return True

    def new_events(self, model: str, until_ms: int) -> list[DriftEvent]:
        """Events that triage hasn't seen, up to an event time, in the order of event time and id."""
        query = select(EventRow).where(EventRow.model == model, EventRow.decision == "new", EventRow.time_ms <= until_ms)
        return self._events(query.order_by(EventRow.time_ms, EventRow.id))

    def events_of(self, incident: IncidentId) -> list[DriftEvent]:
        """Events that opened an incident or folded into it, in order of event time."""
        return self._events(select(EventRow).where(EventRow.incident_id == incident).order_by(EventRow.time_ms, EventRow.id))

    def events_beside(self, incident: IncidentId) -> list[DriftEvent]:
        """Events that were confirmed with the one that opened an incident and belong to none, in order."""
        opened = select(EventRow.model, EventRow.time_ms).where(EventRow.incident_id == incident, EventRow.decision == "opened")
        beside = tuple_(EventRow.model, EventRow.time_ms).in_(opened)
        said = EventRow.transition == "confirmed", EventRow.decision == "ignored"
        return self._events(select(EventRow).where(beside, *said).order_by(EventRow.time_ms, EventRow.id))

    def settle_event(self, event: DriftEvent, decision: str, reason: str, incident: IncidentId | None, now_ms: int) -> None:
        """Note what triage made of an event: `folded` or `ignored` (opening is `open_incident`'s)."""
        with self._changing(f"event.{decision}", model=event.model, subject=incident or event.id, time_ms=now_ms) as change:
            change.incident = incident or ""
            row = change.session.get_one(EventRow, event.id)
            row.decision, row.reason, row.incident_id = decision, reason, incident
            change.data.update(event=event.id, kind=event.kind, transition=event.transition, rule=reason)

    def take_command(self, command: Command, now_ms: int, role: str = UNPROVEN) -> bool:
        """Store a command for the next watermark, with what who gave it may; false when it was already known.

        Raises:
            ContractError: it can't be kept as it is.
        """
        check_command(command)
        with self._reading() as session:
            if session.scalar(select(CommandRow.number).where(CommandRow.id == command.id)) is not None:
                return False
        with self._changing("command.received", model=command.model, subject=command.id, time_ms=now_ms) as change:
            change.actor = person(command.by)
            data = plain(command) | {"role": role, "taken_wall_ms": self.wall_ms()}
            change.session.add(
                CommandRow(
                    id=command.id,
                    model=command.model,
                    kind=command.kind,
                    by=command.by,
                    state="new",
                    reason="",
                    applied_ms=None,
                    data=data,
                )
            )
            change.data.update(data)
        return True

    def commands(self, model: str, *states: str) -> list[Order]:
        """Commands in order of arrival, in the given states (all when none is given)."""
        query = select(CommandRow).where(CommandRow.model == model).order_by(CommandRow.number)
        if states:
            query = query.where(CommandRow.state.in_(states))
        with self._reading() as session:
            return [order_of(row) for row in session.scalars(query)]

    def settle_command(self, command: Command, state: CommandState, reason: str, now_ms: int, **numbers: Any) -> None:
        """Note that a command was applied or rejected, and why."""
        with self._changing(f"command.{state}", model=command.model, subject=command.id, time_ms=now_ms) as change:
            settle_command(change.session, command.id, state, reason, now_ms)
            change.data.update(kind=command.kind, by=command.by, reason=reason, **plain(numbers))

    def frozen_by(self, model: str) -> str | None:
        """Return who froze the model's deployments, None when nobody did or it was lifted since."""
        orders = [order for order in self.commands(model, "applied") if order.command.kind in {"freeze", "unfreeze"}]
        return orders[-1].command.by if orders and orders[-1].command.kind == "freeze" else None

    def _events(self, query: Any) -> list[DriftEvent]:
        with self._reading() as session:
            return [msgspec.convert(row.data, DriftEvent) for row in session.scalars(query)]


def order_of(row: CommandRow) -> Order:
    """Read an order from its row; one of before there were roles came over the topic."""
    command, role = msgspec.convert(row.data, Command), str(row.data.get("role", UNPROVEN))
    return Order(row.number, command, row.state, row.reason, row.applied_ms, role, row.data.get("taken_wall_ms"))


def settle_command(session: Any, command_id: str, state: CommandState, reason: str, now_ms: int) -> None:
    """Note a command's end in a transaction that changes more than the command."""
    row = session.scalars(select(CommandRow).where(CommandRow.id == command_id)).one()
    row.state, row.reason, row.applied_ms = state, reason, now_ms
