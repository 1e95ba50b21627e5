"""Reading the ledger a page at a time, and only what is of some models: what an API shows must be bounded."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple, TypeVar, cast

import msgspec
from sqlalchemy import Select, select

from daemon.ledger import audit
from daemon.ledger.audit import AuditRecord, Only
from daemon.ledger.goals import goal_of
from daemon.ledger.inbox import Order, order_of
from daemon.ledger.incidents import incident_of
from daemon.ledger.memory import approval_of, lesson_of
from daemon.ledger.records import ENDS, Goal, GoalState, Incident, Lesson, Plan, PlannedWork, State, Tried
from daemon.ledger.store import Store
from daemon.ledger.tables import (
    ApprovalRow,
    CommandRow,
    ExperimentRow,
    GoalRow,
    IncidentRow,
    LessonRow,
    PlanRow,
)

Query = TypeVar("Query", bound=Select[*tuple[Any, ...]])


class Cut(NamedTuple):
    """Which part: of some models (None: of all), behind `after` (what the last one was called or numbered), at most `limit`."""

    models: Collection[str] | None = None
    after: Any = None
    limit: int = 100

    def of(self, query: Query, model: Any, place: Any) -> Query:
        """Cut a query, given the columns that name the model and order the rows."""
        if self.models is not None:
            query = query.where(model.in_(sorted(self.models)))
        if self.after is not None:
            query = query.where(place > self.after)
        return query.order_by(place).limit(self.limit)


class Pages(Store):
    """What was written, in order of its ids, which begin with event time, or of its numbers."""

    def incident_page(self, cut: Cut, state: str | None = None, *, only_open: bool = False) -> list[Incident]:
        """Read incidents; `after` is an incident's id."""
        query = select(IncidentRow)
        if state is not None:
            query = query.where(IncidentRow.state == state)
        if only_open:
            query = query.where(IncidentRow.state.not_in(ENDS))
        with self._reading() as session:
            return [incident_of(row) for row in session.scalars(cut.of(query, IncidentRow.model, IncidentRow.id))]

    def plan_page(self, cut: Cut, digest: str | None = None, state: str | None = None) -> list[PlannedWork]:
        """Read plans with what people said of them; `after` is the id of a plan's incident, which has no other plan."""
        query = select(PlanRow, IncidentRow.state).join(IncidentRow, IncidentRow.id == PlanRow.incident_id)
        if digest is not None:
            query = query.where(PlanRow.digest == digest)
        if state is not None:
            query = query.where(IncidentRow.state == state)
        with self._reading() as session:
            rows = session.execute(cut.of(query, IncidentRow.model, PlanRow.incident_id)).all()
            said = select(ApprovalRow).where(ApprovalRow.plan_digest.in_([row.digest for row, _ in rows]))
            words = [approval_of(one) for one in session.scalars(said.order_by(ApprovalRow.given_ms, ApprovalRow.id))]
        found = []
        for row, reached in rows:
            plan = msgspec.convert(row.data, Plan)
            approvals = tuple(one for one in words if one.plan_digest == row.digest)
            altered = plan.digest != row.digest
            found.append(
                PlannedWork(digest=row.digest, altered=altered, state=cast("State", reached), plan=plan, approvals=approvals)
            )
        return found

    def experiment_page(self, cut: Cut) -> list[Tried]:
        """Read experiments; `after` is a number."""
        query = cut.of(select(ExperimentRow), ExperimentRow.model, ExperimentRow.id)
        with self._reading() as session:
            return [
                Tried(
                    number=row.id,
                    model=row.model,
                    incident=row.incident_id,
                    action=row.action,
                    configuration=row.configuration,
                    outcome=row.outcome,
                    time_ms=row.time_ms,
                )
                for row in session.scalars(query)
            ]

    def lesson_page(self, cut: Cut) -> list[Lesson]:
        """Read lessons; `after` is the id of a lesson's incident."""
        with self._reading() as session:
            return [lesson_of(row) for row in session.scalars(cut.of(select(LessonRow), LessonRow.model, LessonRow.incident_id))]

    def audit_page(self, cut: Cut, only: Only) -> list[AuditRecord]:
        """Read audit records; `after` is a number.

        Raises:
            LedgerError: what one holds was altered into something that isn't data.
        """
        with self._reading() as session:
            return list(audit.records(session, only, cut.after or 0, cut.limit, cut.models))

    def audit_links(self, after: int, limit: int) -> list[AuditRecord]:
        """Read audit records of all models as they stand, altered ones too; `after` is a number."""
        with self._reading() as session:
            return audit.links(session, after, limit)

    def goal_page(self, cut: Cut, state: GoalState | None = None) -> list[Goal]:
        """Read goals; `after` is a goal's id.

        Raises:
            LedgerError: an objective isn't what it was when it was proposed.
        """
        query = select(GoalRow) if state is None else select(GoalRow).where(GoalRow.state == state)
        with self._reading() as session:
            return [goal_of(row) for row in session.scalars(cut.of(query, GoalRow.model, GoalRow.id))]

    def order_page(self, cut: Cut) -> list[Order]:
        """Read commands; `after` is a number."""
        with self._reading() as session:
            return [order_of(row) for row in session.scalars(cut.of(select(CommandRow), CommandRow.model, CommandRow.number))]

    def order(self, command: str) -> Order | None:
        """Read one command by its id, None when there is none."""
        with self._reading() as session:
            row = session.scalars(select(CommandRow).where(CommandRow.id == command)).first()
            return None if row is None else order_of(row)
