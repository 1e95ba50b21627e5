"""The audit: append-only, each record chained to the one before by a hash over RFC 8785 canonical JSON."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from daemon.ledger.canonical import canonical
from daemon.ledger.tables import AuditRow

FIRST = "0" * 64


class AuditRecord(NamedTuple):
    """One observation, reason, decision, approval, command or result. `wall` is ISO 8601; `hash` seals all the rest."""

    number: int
    time_ms: int
    wall: str
    kind: str
    model: str
    subject: str
    data: dict[str, Any]
    previous: str
    hash: str


class Head(NamedTuple):
    """The newest record's number and hash; kept elsewhere, it also shows a chain whose end was cut off."""

    number: int
    hash: str


class AuditFault(NamedTuple):
    """The first record that isn't as it was written, and how it shows."""

    number: int
    problem: str


def append(session: Session, *, time_ms: int, wall: str, kind: str, model: str, subject: str, data: Any) -> None:
    """Add one record to the end of the chain, in the caller's transaction."""
    last = head(session)
    row = AuditRow(
        number=last.number + 1, time_ms=time_ms, wall=wall, kind=kind, model=model, subject=subject,
        data=canonical(data).decode(), previous=last.hash, hash="",
    )  # fmt: skip
    row.hash = _hash(row)
    session.add(row)
    session.flush()


def head(session: Session) -> Head:
    """Return the newest record's number and hash."""
    found = session.execute(select(AuditRow.number, AuditRow.hash).order_by(AuditRow.number.desc()).limit(1)).first()
    return Head(found.number, found.hash) if found is not None else Head(0, FIRST)


def first_fault(session: Session, anchor: Head | None = None) -> AuditFault | None:
    """Walk the chain from its beginning and return the first fault, None when all is well.

    Args:
        session: an open session.
        anchor: a head that was noted elsewhere earlier; the chain must still hold it.
    """
    previous, expected = FIRST, 1
    for row in session.scalars(select(AuditRow).order_by(AuditRow.number).execution_options(yield_per=1_000)):
        problem = _problem(row, expected, previous, anchor)
        if problem:
            return AuditFault(expected if row.number != expected else row.number, problem)
        previous, expected = row.hash, row.number + 1
        session.expunge(row)
    if anchor is not None and anchor.number >= expected:
        return AuditFault(expected, f"missing: the chain ends before record {anchor.number}, which is known to exist")
    return None


def records(session: Session, subject: str | None, after: int, limit: int) -> Iterator[AuditRecord]:
    """Read records in order, of one subject or of all."""
    query = select(AuditRow).where(AuditRow.number > after).order_by(AuditRow.number).limit(limit)
    if subject is not None:
        query = query.where(AuditRow.subject == subject)
    for row in session.scalars(query):
        yield AuditRecord(
            row.number, row.time_ms, row.wall, row.kind, row.model, row.subject, json.loads(row.data), row.previous, row.hash
        )


def _problem(row: AuditRow, expected: int, previous: str, anchor: Head | None) -> str:
    if row.number != expected:
        return f"missing: the next record found is number {row.number}"
    if row.previous != previous:
        return "reordered or replaced: it doesn't follow the record before it"
    if row.hash != _hash(row):
        return "altered: its content doesn't match its hash"
    if anchor is not None and anchor.number == row.number and anchor.hash != row.hash:
        return "rewritten: another record with this number is known to have existed"
    return ""


def _hash(row: AuditRow) -> str:
    data: Any = row.data
    with contextlib.suppress(ValueError):
        parsed = json.loads(row.data)
        data = parsed if canonical(parsed).decode() == row.data else row.data
    sealed = {
        "number": row.number, "time_ms": row.time_ms, "wall": row.wall, "kind": row.kind, "model": row.model,
        "subject": row.subject, "data": data, "previous": row.previous,
    }  # fmt: skip
    return hashlib.sha256(canonical(sealed)).hexdigest()
