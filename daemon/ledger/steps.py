"""Steps: acts on the world, each done at most once to effect.

A step is leased by one daemon, then reserved (from here on it may have happened), then done or failed. Who finds a reserved
step after a crash asks the world first.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from daemon.errors import LedgerError
from daemon.ledger.canonical import canonical, digest_of_bytes, plain
from daemon.ledger.ids import StepId, incident_in, step_id
from daemon.ledger.records import Step, StepKind
from daemon.ledger.store import Store
from daemon.ledger.tables import StepRow

# Results are numbers and paths; what is larger is stored, but stands in the audit by its digest only.
_LARGEST_IN_AUDIT = 65_536


class Steps(Store):
    """The steps of incidents and commands."""

    def step(self, subject: str, key: str) -> Step | None:
        """Read a step, None when nobody began it."""
        with self._reading() as session:
            row = session.get(StepRow, step_id(subject, key))
            return _step(row) if row is not None else None

    def steps(self, subject: str) -> list[Step]:
        """Read the steps of an incident or command, in order of their ending, unfinished last."""
        with self._reading() as session:
            found = [_step(row) for row in session.scalars(select(StepRow).where(StepRow.subject == subject))]
        return sorted(found, key=lambda step: (step.ended_ms is None, step.ended_ms or 0, step.id))

    def deployments(self, model: str, *states: str) -> list[Step]:
        """Read deploy steps of a model in the given states, in order of the generation they wrote."""
        query = select(StepRow).where(StepRow.model == model, StepRow.kind == "deploy", StepRow.state.in_(states))
        with self._reading() as session:
            found = [_step(row) for row in session.scalars(query)]
        return sorted(found, key=lambda step: int(step.payload.get("generation", 0)))

    def trainings(self, model: str) -> list[Step]:
        """Read the finished trainings of a model, in order."""
        query = select(StepRow).where(StepRow.model == model, StepRow.state == "done", StepRow.skill.startswith("train_"))
        with self._reading() as session:
            return [_step(row) for row in session.scalars(query.order_by(StepRow.ended_ms, StepRow.id))]

    def finished(self, model: str, skill: str, *, since_ms: int | None = None, limit: int = 100) -> list[Step]:
        """Read a model's finished runs of a skill: the first from an event time on, or the newest, the newest first."""
        query = select(StepRow).where(StepRow.model == model, StepRow.kind == "skill", StepRow.state == "done")
        query = query.where(StepRow.skill == skill)
        if since_ms is None:
            query = query.order_by(StepRow.ended_ms.desc(), StepRow.id.desc())
        else:
            query = query.where(StepRow.ended_ms >= since_ms).order_by(StepRow.ended_ms, StepRow.id)
        with self._reading() as session:
            return [_step(row) for row in session.scalars(query.limit(limit))]

    def lease(
        self, model: str, subject: str, key: str, *, kind: StepKind, skill: str, owner: str, until_wall_ms: int, now_ms: int
    ) -> Step:
        """Take a step for `owner`, making it when it is new.

        Who has the ledger, or the model, has it alone: a lease of another owner is a dead one's, and is taken over as the next
        attempt.

        Raises:
            LedgerError: it is over.
        """
        with self._changing("step.leased", model=model, subject=subject, time_ms=now_ms) as change:
            change.incident = incident_in(subject)
            row = change.session.get(StepRow, step_id(subject, key))
            if row is None:
                row = _new_row(model, subject, key, kind, skill)
                change.session.add(row)
            if row.state in {"done", "failed"}:
                raise LedgerError(f"step {row.id} is over")
            row.state, row.owner, row.lease_until_wall_ms, row.attempt = "leased", owner, until_wall_ms, row.attempt + 1
            change.data.update(step=row.id, skill=skill, attempt=row.attempt, owner=owner)
            return _step(row)

    def reserve(self, step: Step, payload: dict[str, Any], now_ms: int) -> Step:
        """Say what is about to be done; after this the act may have happened."""
        with self._changing("step.reserved", model=step.model, subject=step.subject, time_ms=now_ms) as change:
            change.incident = incident_in(step.subject)
            row = _owned(change.session, step)
            row.state, row.payload = "reserved", plain(payload)
            change.data.update(step=row.id, skill=row.skill, attempt=row.attempt, payload=row.payload)
            return _step(row)

    def finish(self, step: Step, result: dict[str, Any], now_ms: int) -> Step:
        """Say that it is done, and with what result."""
        with self._changing("step.done", model=step.model, subject=step.subject, time_ms=now_ms) as change:
            change.incident = incident_in(step.subject)
            row = _owned(change.session, step)
            row.state, row.result, row.ended_ms = "done", plain(result), now_ms
            change.data.update(step=row.id, skill=row.skill, attempt=row.attempt, result=_short(row.result))
            return _step(row)

    def fail(self, step: Step, failure: str, message: str, now_ms: int) -> Step:
        """Say that it failed for good."""
        with self._changing("step.failed", model=step.model, subject=step.subject, time_ms=now_ms) as change:
            change.incident = incident_in(step.subject)
            row = _owned(change.session, step)
            row.state, row.failure, row.message, row.ended_ms = "failed", failure, message, now_ms
            change.data.update(step=row.id, skill=row.skill, attempt=row.attempt, failure=failure, message=message)
            return _step(row)


def _owned(session: Session, step: Step) -> StepRow:
    row = session.get_one(StepRow, step.id)
    if (row.owner, row.attempt) != (step.owner, step.attempt) or row.state in {"done", "failed"}:
        raise LedgerError(f"step {step.id}, attempt {step.attempt}, isn't {step.owner}'s any more")
    return row


def _short(result: dict[str, Any]) -> dict[str, Any]:
    data = canonical(result)
    return result if len(data) <= _LARGEST_IN_AUDIT else {"sha256": digest_of_bytes(data), "bytes": len(data)}


def _new_row(model: str, subject: str, key: str, kind: StepKind, skill: str) -> StepRow:
    return StepRow(
        id=step_id(subject, key), model=model, subject=subject, key=key, kind=kind, skill=skill, state="pending", attempt=0,
        owner="", lease_until_wall_ms=0, payload={}, result={}, failure="", message="", ended_ms=None,
    )  # fmt: skip


def _step(row: StepRow) -> Step:
    return Step(
        id=StepId(row.id), model=row.model, subject=row.subject, key=row.key, kind=row.kind, skill=row.skill, state=row.state,  # type: ignore[arg-type]
        attempt=row.attempt, owner=row.owner, lease_until_wall_ms=row.lease_until_wall_ms, payload=row.payload,
        result=row.result, failure=row.failure, message=row.message, ended_ms=row.ended_ms,
    )  # fmt: skip
