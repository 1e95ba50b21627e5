"""Plans, approvals, and what the daemon remembers: experiments, lessons, budgets."""

from __future__ import annotations

import math
from typing import Any, Literal, cast

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from daemon.errors import LedgerError
from daemon.ledger.actors import person
from daemon.ledger.inbox import settle_command
from daemon.ledger.records import Approval, Experiment, Lesson, Plan, Spend, State
from daemon.ledger.store import Store
from daemon.ledger.tables import ApprovalRow, BudgetEntryRow, ExperimentRow, IncidentRow, LessonRow, PlanRow
from streams.contracts.records import Command


class Memory(Store):
    """What was planned, allowed, tried, learned and spent."""

    def plan(self, digest: str) -> Plan:
        """Read a plan, checked against its digest.

        Raises:
            LedgerError: there is none, or it isn't what it was.
        """
        with self._reading() as session:
            row = session.get(PlanRow, digest)
        if row is None:
            raise LedgerError(f"no plan {digest!r}")
        plan = msgspec.convert(row.data, Plan)
        if plan.digest != digest:
            raise LedgerError(f"plan {digest}: its content doesn't match its digest; it was altered")
        return plan

    def give_approval(self, command: Command, plan_digest: str, expires_wall_ms: int, now_ms: int) -> None:
        """Store a person's word on a plan and settle the command that brought it."""
        with self._changing("approval.given", model=command.model, subject=command.id, time_ms=now_ms) as change:
            change.actor = person(command.by)
            change.incident = change.session.get_one(PlanRow, plan_digest).incident_id
            change.session.add(
                ApprovalRow(
                    id=command.id,
                    plan_digest=plan_digest,
                    by=command.by,
                    decision=command.kind,
                    state="given",
                    expires_wall_ms=expires_wall_ms,
                    given_ms=now_ms,
                )
            )
            settle_command(change.session, command.id, "applied", f"{command.kind} given", now_ms)
            change.data.update(plan_digest=plan_digest, by=command.by, decision=command.kind, expires_wall_ms=expires_wall_ms)

    def approvals(self, plan_digest: str) -> list[Approval]:
        """Read what people said of a plan, in order of saying."""
        query = select(ApprovalRow).where(ApprovalRow.plan_digest == plan_digest).order_by(ApprovalRow.given_ms, ApprovalRow.id)
        with self._reading() as session:
            return [approval_of(row) for row in session.scalars(query)]

    def experiments(self, model: str, configuration: str) -> list[Experiment]:
        """Read what came of the same configuration before, oldest first."""
        query = select(ExperimentRow, PlanRow.data, IncidentRow.details)
        query = query.join(IncidentRow, IncidentRow.id == ExperimentRow.incident_id)
        query = query.join(PlanRow, PlanRow.digest == IncidentRow.plan_digest)
        query = query.where(ExperimentRow.model == model, ExperimentRow.configuration == configuration)
        with self._reading() as session:
            return [experiment_of(*found) for found in session.execute(query.order_by(ExperimentRow.id))]

    def lessons(self, model: str, limit: int = 50) -> list[Lesson]:
        """Read the newest lessons, oldest first."""
        query = select(LessonRow).where(LessonRow.model == model).order_by(LessonRow.time_ms.desc(), LessonRow.incident_id.desc())
        with self._reading() as session:
            rows = list(session.scalars(query.limit(limit)))
        return [lesson_of(row) for row in reversed(rows)]

    def spent(self, model: str, kind: str, since_ms: int) -> float:
        """Add up what was spent of one kind at or after an event time."""
        query = select(func.coalesce(func.sum(BudgetEntryRow.amount), 0.0))
        query = query.where(BudgetEntryRow.model == model, BudgetEntryRow.kind == kind, BudgetEntryRow.time_ms >= since_ms)
        with self._reading() as session:
            return float(session.scalar(query) or 0.0)

    def spent_at(self, model: str, kind: str) -> list[int]:
        """Return the event times of all entries of one kind, oldest first."""
        query = select(BudgetEntryRow.time_ms).where(BudgetEntryRow.model == model, BudgetEntryRow.kind == kind)
        with self._reading() as session:
            return sorted(session.scalars(query))


def use_approval(session: Session, approval_id: str) -> str:
    """Use up an approval in the transaction of the move that it allows; return whose it is.

    Raises:
        LedgerError: it was used before.
    """
    row = session.get_one(ApprovalRow, approval_id)
    if row.state != "given":
        raise LedgerError(f"approval {approval_id} was used before")
    row.state = "used"
    return row.by


def add_spends(session: Session, incident: str, model: str, spends: tuple[Spend, ...], now_ms: int) -> None:
    """Write budget entries in the transaction of the move that spends."""
    session.add_all(
        BudgetEntryRow(incident_id=incident, model=model, kind=spend.kind, amount=spend.amount, time_ms=now_ms)
        for spend in spends
    )


def approval_of(row: ApprovalRow) -> Approval:
    """Read an approval from its row."""
    return Approval(
        id=row.id,
        plan_digest=row.plan_digest,
        by=row.by,
        decision=cast("Literal['approve', 'refuse']", row.decision),
        state=cast("Literal['given', 'used', 'void']", row.state),
        expires_wall_ms=row.expires_wall_ms,
    )


def experiment_of(row: ExperimentRow, plan: dict[str, Any], details: dict[str, Any]) -> Experiment:
    """Read an experiment from its row, the plan that was carried out, and what was found about it."""
    numbers = [one.get("numbers") or {} for one in details.get("sealed", {}).get("findings", ())]
    since_ms, until_ms = plan["sealed"]
    return Experiment(
        configuration=row.configuration,
        outcome=row.outcome,
        time_ms=row.time_ms,
        sealed=(since_ms, until_ms),
        rows=max((int(one["rows"]) for one in numbers if one.get("rows") is not None), default=0),
        lacked=max((math.ceil(one["rows_lacked"]) for one in numbers if one.get("rows_lacked") is not None), default=0),
    )


def lesson_of(row: LessonRow) -> Lesson:
    """Read a lesson from its row."""
    return Lesson(
        cause=row.cause,
        action=row.action,
        outcome=cast("State", row.outcome),
        text=row.text,
        numbers=row.numbers,
        time_ms=row.time_ms,
        incident=row.incident_id,
    )
