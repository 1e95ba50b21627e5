"""Incidents: opened once, moved one legal transition at a time, each with its audit record in the same transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from daemon.access.roles import UNPROVEN
from daemon.errors import IllegalMoveError, LedgerError
from daemon.ledger.actors import DAEMON, person, planner
from daemon.ledger.canonical import plain
from daemon.ledger.ids import IncidentId, PlanDigest, digest_of, incident_id, step_id
from daemon.ledger.inbox import settle_command
from daemon.ledger.memory import add_spends, use_approval
from daemon.ledger.playbooks import suspend_playbooks
from daemon.ledger.records import ENDS, INCONCLUSIVE, MOVES, Incident, Move, Plan, has_broken
from daemon.ledger.store import Store
from daemon.ledger.tables import EventRow, ExperimentRow, IncidentRow, LessonRow, PlanRow, StepRow
from streams.contracts.events import DriftEvent
from streams.contracts.records import Command


class Incidents(Store):
    """The durable state machine."""

    def open_for_event(self, event: DriftEvent, cause: str, champion: str, reason: str, now_ms: int) -> Incident:
        """Open an incident that an event calls for, and settle the event."""
        incident = _opened(event.model, cause, event.id, requester=DAEMON, champion=champion, reason=reason, now_ms=now_ms)
        with self._changing("incident.opened", model=event.model, subject=incident.id, time_ms=now_ms) as change:
            change.incident = incident.id
            change.session.add(_row(incident))
            change.session.flush()
            row = change.session.get_one(EventRow, event.id)
            row.decision, row.reason, row.incident_id = "opened", reason, incident.id
            change.data.update(cause=cause, event=event.id, champion=champion, rule=reason)
        return incident

    def open_for_command(
        self,
        command: Command,
        cause: str,
        champion: str,
        challenger: str,
        now_ms: int,
        *,
        role: str = UNPROVEN,
        details: dict[str, Any] | None = None,
    ) -> Incident:
        """Open an incident that a command asks for, and settle the command; `details` say what is asked for.

        What who asked may goes with the incident, for its plan runs as theirs.
        """
        incident = _opened(
            command.model,
            cause,
            command.id,
            requester=command.by,
            champion=champion,
            reason=f"command {command.kind}",
            now_ms=now_ms,
            challenger=challenger,
            details={**(details or {}), "requester_role": role},
        )
        with self._changing("incident.opened", model=command.model, subject=incident.id, time_ms=now_ms) as change:
            change.actor, change.incident = person(command.by), incident.id
            change.session.add(_row(incident))
            settle_command(change.session, command.id, "applied", f"opened {incident.id}", now_ms)
            change.data.update(cause=cause, command=command.id, by=command.by, champion=champion, challenger=challenger)
            change.data.update(plain(incident.details))
        return incident

    def move(self, incident: Incident, move: Move, now_ms: int, command: Command | None = None) -> Incident:
        """Carry out one transition with all that belongs to it; `command` is settled as applied in the same transaction.

        Raises:
            IllegalMoveError: the incident isn't where `incident` says, or can't go there.
        """
        if move.to not in MOVES.get(incident.state, frozenset()):
            raise IllegalMoveError(f"{incident.id}: no way from {incident.state} to {move.to}")
        with self._changing("incident.moved", model=incident.model, subject=incident.id, time_ms=now_ms) as change:
            row = change.session.get_one(IncidentRow, incident.id)
            if (row.state, row.moved_ms) != (incident.state, incident.moved_ms):
                raise IllegalMoveError(f"{incident.id} is {row.state}, not {incident.state}: somebody else moved it")
            row.state, row.moved_ms, row.reason, row.waits_until_ms = move.to, now_ms, move.reason, move.waits_until_ms
            row.details = {**row.details, **plain(move.details)}
            row.challenger = row.challenger if move.challenger is None else move.challenger
            approver = self._write_along(change.session, row, move, now_ms)
            if has_broken(row.state, row.details):
                change.also += suspend_playbooks(change.session, row, now_ms)
            if command is not None:
                settle_command(change.session, command.id, "applied", move.reason, now_ms)
            change.actor, change.incident = _actor(move, command, approver), incident.id
            change.data.update(_told(incident, move))
            return incident_of(row)

    def incident(self, incident: str) -> Incident:
        """Read one incident.

        Raises:
            LedgerError: there is none of that id.
        """
        with self._reading() as session:
            row = session.get(IncidentRow, incident)
            if row is None:
                raise LedgerError(f"no incident {incident!r}")
            return incident_of(row)

    def incidents(self, model: str | None = None, *, only_open: bool = False) -> list[Incident]:
        """Read incidents in order of opening, of one model or of all."""
        query = select(IncidentRow).order_by(IncidentRow.opened_ms, IncidentRow.id)
        if model is not None:
            query = query.where(IncidentRow.model == model)
        if only_open:
            query = query.where(IncidentRow.state.not_in(ENDS))
        with self._reading() as session:
            return [incident_of(row) for row in session.scalars(query)]

    def ended(self, model: str) -> int:
        """Count a model's incidents that are over."""
        query = select(func.count()).where(IncidentRow.model == model, IncidentRow.state.in_(ENDS))
        with self._reading() as session:
            return session.scalar(query) or 0

    def _write_along(self, session: Session, row: IncidentRow, move: Move, now_ms: int) -> str:
        """Write what belongs to a move; return whose approval it used up, if any."""
        if move.plan is not None:
            row.plan_digest = move.plan.digest
            _add_plan(session, move.plan)
        add_spends(session, row.id, row.model, move.spends, now_ms)
        approver = use_approval(session, move.approval) if move.approval else ""
        if move.to == "running":
            _begin_work(session, row, now_ms)
        if move.to in ENDS:
            for experiment in session.scalars(select(ExperimentRow).where(ExperimentRow.incident_id == row.id)):
                experiment.outcome = INCONCLUSIVE if move.rule.endswith(f"_{INCONCLUSIVE}") else move.to
        if move.lesson is not None:
            lesson = move.lesson
            session.add(
                LessonRow(
                    incident_id=row.id,
                    model=row.model,
                    cause=lesson.cause,
                    action=lesson.action,
                    outcome=lesson.outcome,
                    text=lesson.text,
                    numbers=plain(lesson.numbers),
                    time_ms=now_ms,
                )
            )
        return approver


def _opened(
    model: str,
    cause: str,
    opener: str,
    *,
    requester: str,
    champion: str,
    reason: str,
    now_ms: int,
    challenger: str = "",
    details: dict[str, Any] | None = None,
) -> Incident:
    return Incident(
        id=incident_id(model, cause, now_ms, opener), model=model, cause=cause, state="open", opened_ms=now_ms, moved_ms=now_ms,
        requester=requester, champion=champion, challenger=challenger, reason=reason, details=details or {},
    )  # fmt: skip


def _add_plan(session: Session, plan: Plan) -> None:
    session.add(
        PlanRow(digest=plan.digest, incident_id=plan.incident, action=plan.action, created_ms=plan.created_ms, data=plain(plan))
    )


def _begin_work(session: Session, row: IncidentRow, now_ms: int) -> None:
    """Queue the plan's steps, and register the experiment: its fingerprint is unique, so it can't be run twice."""
    plan = session.get_one(PlanRow, row.plan_digest).data
    for step in plan["steps"]:
        session.add(
            StepRow(
                id=step_id(row.id, step["key"]),
                model=row.model,
                subject=row.id,
                key=step["key"],
                kind="skill",
                skill=step["skill"],
                state="pending",
                attempt=0,
                owner="",
                lease_until_wall_ms=0,
                payload={},
                result={},
                failure="",
                message="",
                ended_ms=None,
            )
        )
    if plan["configuration"]:
        fingerprint = digest_of([plan["configuration"], plan["sealed"]])
        session.add(
            ExperimentRow(
                fingerprint=fingerprint,
                configuration=plan["configuration"],
                model=row.model,
                incident_id=row.id,
                action=plan["action"],
                outcome="running",
                time_ms=now_ms,
            )
        )


def _actor(move: Move, command: Command | None, approver: str) -> str:
    """Say who moved an incident: who ordered it, whose approval allowed it, whose plan it brings, else the daemon itself."""
    if command is not None:
        return person(command.by)
    if approver:
        return person(approver)
    return planner(move.plan.proposer) if move.plan is not None else DAEMON


def _told(incident: Incident, move: Move) -> dict[str, Any]:
    told = {"from": incident.state, "to": move.to, "reason": move.reason, "rule": move.rule, "details": plain(move.details)}
    if move.plan is not None:
        told |= {"plan": plain(move.plan), "plan_digest": move.plan.digest}
    if move.challenger:
        told["challenger"] = move.challenger
    if move.lesson is not None:
        told["lesson"] = plain(move.lesson)
    return told | {"waits_until_ms": move.waits_until_ms, "spends": plain(move.spends)}


def _row(incident: Incident) -> IncidentRow:
    fields = {name: getattr(incident, name) for name in incident.__struct_fields__}
    return IncidentRow(**fields | {"details": plain(incident.details)})


def incident_of(row: IncidentRow) -> Incident:
    """Read an incident from its row."""
    return Incident(
        id=IncidentId(row.id), model=row.model, cause=row.cause, state=row.state, opened_ms=row.opened_ms,  # type: ignore[arg-type]
        moved_ms=row.moved_ms, waits_until_ms=row.waits_until_ms, requester=row.requester, champion=row.champion,
        challenger=row.challenger, plan_digest=PlanDigest(row.plan_digest) if row.plan_digest else None, reason=row.reason,
        details=row.details,
    )  # fmt: skip
