"""Playbooks: proposed for what plans did well, approved by a person, suspended by what breaks; all of it in the audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from daemon.errors import LedgerError
from daemon.ledger.actors import person
from daemon.ledger.canonical import plain
from daemon.ledger.inbox import settle_command
from daemon.ledger.records import Playbook, PlaybookState, Recipe
from daemon.ledger.store import Note, Store
from daemon.ledger.tables import IncidentRow, PlaybookRow
from streams.contracts.records import Command

_UNBROKEN = ("proposed", "approved")


class Playbooks(Store):
    """What may be done again without being asked for."""

    def playbooks(self, model: str | None = None) -> list[Playbook]:
        """Read playbooks of one model or of all, in order of their newest change.

        Raises:
            LedgerError: a recipe isn't what it was when it was proposed.
        """
        query = select(PlaybookRow).order_by(PlaybookRow.changed_ms, PlaybookRow.digest)
        if model is not None:
            query = query.where(PlaybookRow.model == model)
        with self._reading() as session:
            return [_playbook(row) for row in session.scalars(query)]

    def propose_playbook(self, recipe: Recipe, supported_by: Sequence[str], reason: str, now_ms: int) -> Playbook:
        """Propose a recipe as a playbook, for the first time or again.

        Raises:
            LedgerError: it is proposed or approved already.
        """
        digest = recipe.digest
        with self._changing("playbook.proposed", model=recipe.model, subject=digest, time_ms=now_ms) as change:
            row = change.session.get(PlaybookRow, digest)
            if row is None:
                row = PlaybookRow(digest=digest, model=recipe.model, recipe=plain(recipe))
                change.session.add(row)
            elif row.state in _UNBROKEN:
                raise LedgerError(f"playbook {digest} is {row.state} already")
            row.supported_by, row.approved_by, row.expires_wall_ms = list(supported_by), "", None
            _set(row, "proposed", reason, now_ms)
            change.data.update(recipe=row.recipe, supported_by=row.supported_by, reason=reason, to="proposed")
            return _playbook(row)

    def approve_playbook(self, command: Command, playbook: Playbook, expires_wall_ms: int, now_ms: int) -> None:
        """Note a person's word for a playbook, and settle the command.

        Raises:
            LedgerError: it isn't what it was when it was read.
        """
        with self._changing("playbook.approved", model=command.model, subject=playbook.digest, time_ms=now_ms) as change:
            change.actor = person(command.by)
            row = _unchanged(change.session, playbook)
            row.approved_by, row.expires_wall_ms = command.by, expires_wall_ms
            _set(row, "approved", f"approved by {command.by}", now_ms)
            settle_command(change.session, command.id, "applied", f"approved playbook {playbook.digest}", now_ms)
            change.data.update(command=command.id, by=command.by, expires_wall_ms=expires_wall_ms, to="approved")

    def retire_playbook(self, command: Command, playbook: Playbook, reason: str, now_ms: int) -> None:
        """Note that a playbook is none any more, and settle the command.

        Raises:
            LedgerError: it isn't what it was when it was read.
        """
        with self._changing("playbook.retired", model=command.model, subject=playbook.digest, time_ms=now_ms) as change:
            change.actor = person(command.by)
            row = _unchanged(change.session, playbook)
            _set(row, "retired", f"retired by {command.by}: {reason}", now_ms)
            settle_command(change.session, command.id, "applied", f"retired playbook {playbook.digest}", now_ms)
            change.data.update(command=command.id, by=command.by, reason=reason, was=playbook.state, to="retired")


def suspend_playbooks(session: Session, incident: IncidentRow, now_ms: int) -> list[Note]:
    """Suspend what a plan of the same cause and action has broken, in the transaction of the move that ends its incident.

    Whoever let that plan run: who trusts a playbook does so because such plans turn out well.
    """
    broken = incident.details.get("recipe")
    if broken is None:
        return []
    notes = []
    query = select(PlaybookRow).where(PlaybookRow.model == incident.model, PlaybookRow.state.in_(_UNBROKEN))
    for row in session.scalars(query.order_by(PlaybookRow.digest)):
        if all(row.recipe[name] == broken[name] for name in ("cause", "action")):
            reason, was = f"{incident.id} ended as {incident.state}", row.state
            _set(row, "suspended", reason, now_ms)
            notes.append(Note("playbook.suspended", row.digest, {"reason": reason, "was": was, "to": "suspended"}))
    return notes


def _unchanged(session: Session, playbook: Playbook) -> PlaybookRow:
    row = session.get_one(PlaybookRow, playbook.digest)
    if (row.state, row.changed_ms) != (playbook.state, playbook.changed_ms):
        raise LedgerError(f"playbook {playbook.digest} is {row.state}, not {playbook.state}: somebody else changed it")
    return row


def _set(row: PlaybookRow, state: PlaybookState, reason: str, now_ms: int) -> None:
    row.state, row.reason, row.changed_ms = state, reason, now_ms


def _playbook(row: PlaybookRow) -> Playbook:
    recipe = msgspec.convert(row.recipe, Recipe)
    if recipe.digest != row.digest:
        raise LedgerError(f"playbook {row.digest}: its recipe doesn't match its digest; it was altered")
    return Playbook(
        digest=row.digest,
        recipe=recipe,
        state=cast("PlaybookState", row.state),
        supported_by=tuple(row.supported_by),
        reason=row.reason,
        changed_ms=row.changed_ms,
        approved_by=row.approved_by,
        expires_wall_ms=row.expires_wall_ms,
    )
