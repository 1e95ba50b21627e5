"""Goals: proposed, approved by their digest, retired; each change with its audit record and the command that brought it."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import select

from daemon.errors import LedgerError
from daemon.ledger.actors import person
from daemon.ledger.canonical import plain
from daemon.ledger.ids import GoalId, digest_of, goal_id
from daemon.ledger.inbox import settle_command
from daemon.ledger.records import Goal, GoalState
from daemon.ledger.store import Store
from daemon.ledger.tables import GoalRow
from streams.contracts.records import Command


class Goals(Store):
    """What people asked for."""

    def goals(self, model: str | None = None, state: GoalState | None = None) -> list[Goal]:
        """Read goals in order of proposal, of one model or of all, in one state or in any.

        Raises:
            LedgerError: an objective isn't what it was when it was proposed.
        """
        query = select(GoalRow).order_by(GoalRow.proposed_ms, GoalRow.id)
        if model is not None:
            query = query.where(GoalRow.model == model)
        if state is not None:
            query = query.where(GoalRow.state == state)
        with self._reading() as session:
            return [goal_of(row) for row in session.scalars(query)]

    def goals_in_force(self, model: str) -> tuple[list[Goal], list[Goal]]:
        """Read a model's approved goals, oldest first, and beside them those that can't be read as they were approved.

        Of the latter only what isn't the objective is there. Nothing is raised, whatever an objective was altered into: a judge
        that can't look at one goal has the others to look at.
        """
        query = select(GoalRow.id).where(GoalRow.model == model, GoalRow.state == "approved")
        sound, altered = [], []
        with self._reading() as session:
            for name in session.scalars(query.order_by(GoalRow.proposed_ms, GoalRow.id)).all():
                try:
                    sound.append(goal_of(session.get_one(GoalRow, name)))
                except (LedgerError, ValueError, TypeError, RecursionError):
                    digest = session.scalars(select(GoalRow.digest).where(GoalRow.id == name)).one()
                    altered.append(_without_objective(name, model, digest))
        return sound, altered

    def propose_goal(self, command: Command, objective: dict[str, Any], sentence: str, now_ms: int) -> Goal:
        """Store what a command asks for, and settle the command."""
        goal = Goal(
            id=goal_id(command.model, now_ms, command.id),
            model=command.model,
            sentence=sentence,
            objective=plain(objective),
            digest=digest_of(objective),
            state="proposed",
            proposed_by=command.by,
            proposed_ms=now_ms,
        )
        with self._changing("goal.proposed", model=command.model, subject=goal.id, time_ms=now_ms) as change:
            change.actor = person(command.by)
            change.session.add(_row(goal))
            settle_command(change.session, command.id, "applied", f"proposed {goal.id}", now_ms)
            change.data.update(
                command=command.id, by=command.by, digest=goal.digest, sentence=sentence, objective=goal.objective, to="proposed"
            )
        return goal

    def approve_goal(self, command: Command, goal: Goal, now_ms: int) -> None:
        """Note a person's word for a goal, and settle the command.

        Raises:
            LedgerError: it isn't waiting for one any more.
        """
        with self._changing("goal.approved", model=command.model, subject=goal.id, time_ms=now_ms) as change:
            change.actor = person(command.by)
            row = change.session.get_one(GoalRow, goal.id)
            if row.state != "proposed":
                raise LedgerError(f"{goal.id} is {row.state}, so nobody can approve it")
            row.state, row.approved_by, row.approved_ms = "approved", command.by, now_ms
            settle_command(change.session, command.id, "applied", f"approved {goal.id}", now_ms)
            change.data.update(command=command.id, by=command.by, digest=goal.digest, to="approved")

    def retire_goal(self, command: Command, goal: Goal, now_ms: int) -> None:
        """Note that a goal, approved or not, is none any more, and settle the command.

        Raises:
            LedgerError: it is none already.
        """
        with self._changing("goal.retired", model=command.model, subject=goal.id, time_ms=now_ms) as change:
            change.actor = person(command.by)
            row = change.session.get_one(GoalRow, goal.id)
            if row.state == "retired":
                raise LedgerError(f"{goal.id} is retired already")
            change.data.update(command=command.id, by=command.by, digest=goal.digest, was=row.state, to="retired")
            row.state, row.retired_by, row.retired_ms = "retired", command.by, now_ms
            settle_command(change.session, command.id, "applied", f"retired {goal.id}", now_ms)


def _row(goal: Goal) -> GoalRow:
    return GoalRow(
        id=goal.id,
        model=goal.model,
        sentence=goal.sentence,
        objective=goal.objective,
        digest=goal.digest,
        state=goal.state,
        proposed_by=goal.proposed_by,
        approved_by=goal.approved_by,
        retired_by=goal.retired_by,
        proposed_ms=goal.proposed_ms,
        approved_ms=goal.approved_ms,
        retired_ms=goal.retired_ms,
    )


def _without_objective(name: str, model: str, digest: str) -> Goal:
    return Goal(
        id=GoalId(name), model=model, sentence="", objective={}, digest=digest, state="approved", proposed_by="", proposed_ms=0
    )


def goal_of(row: GoalRow) -> Goal:
    """Read a goal from its row.

    Raises:
        LedgerError: its objective isn't what it was when it was proposed.
    """
    if digest_of(row.objective) != row.digest:
        raise LedgerError(f"goal {row.id}: its objective doesn't match its digest; it was altered")
    return Goal(
        id=GoalId(row.id),
        model=row.model,
        sentence=row.sentence,
        objective=row.objective,
        digest=row.digest,
        state=cast("GoalState", row.state),
        proposed_by=row.proposed_by,
        approved_by=row.approved_by,
        retired_by=row.retired_by,
        proposed_ms=row.proposed_ms,
        approved_ms=row.approved_ms,
        retired_ms=row.retired_ms,
    )
