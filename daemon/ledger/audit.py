"""The audit in the database: records are added to the end of their chain, read by what they are about, and walked as a whole."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Row, Select, or_, select
from sqlalchemy.orm import Session

from daemon.errors import LedgerError
from daemon.ledger.canonical import canonical, writable
from daemon.ledger.chain import FIRST, VERSION, AuditFault, AuditRecord, Examined, Head, Key, hash_of
from daemon.ledger.tables import AuditRow

__all__ = ["AuditFault", "AuditRecord", "Examined", "Head", "Key", "Only", "append", "head", "links", "records", "walk"]

_COLUMNS = tuple(getattr(AuditRow, name) for name in AuditRecord.__struct_fields__)
_AT_ONCE = 1_000


class Only(NamedTuple):
    """Which records: those that agree with all that isn't None. `since_ms` and `until_ms` are event time, [since, until)."""

    subject: str | None = None
    incident: str | None = None
    model: str | None = None
    actor: str | None = None
    kind: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None


class Entry(NamedTuple):
    """What is to be recorded: all of a record that the chain itself doesn't give."""

    time_ms: int
    wall: str
    kind: str
    actor: str
    model: str
    subject: str
    incident: str
    data: dict[str, Any]


def append(session: Session, entry: Entry, key: Key | None = None) -> None:
    """Add one record to the end of the chain, in the caller's transaction, which must be the only one that writes."""
    last = head(session)
    texts = {name: writable(value) for name, value in entry._asdict().items() if isinstance(value, str)}
    data = canonical(entry.data).decode()
    record = AuditRecord(
        **texts, number=last.number + 1, version=VERSION, time_ms=entry.time_ms, data=json.loads(data),
        key=key.id if key is not None else "", previous=last.hash, hash="", seal="",
    )  # fmt: skip
    digest = hash_of(record)
    fields = {name: getattr(record, name) for name in AuditRecord.__struct_fields__}
    sealed = {"data": data, "hash": digest, "seal": key.seal(digest) if key is not None else ""}
    session.add(AuditRow(**fields | sealed))
    session.flush()


def head(session: Session) -> Head:
    """Return the newest record's number and hash."""
    found = session.execute(select(AuditRow.number, AuditRow.hash).order_by(AuditRow.number.desc()).limit(1)).first()
    return Head(found.number, found.hash) if found is not None else Head(0, FIRST)


@contextlib.contextmanager
def walk(session: Session) -> Iterator[Iterator[AuditRecord]]:
    """Give the whole chain as it stands at this moment, in order, with bounded memory."""
    query = select(*_COLUMNS).order_by(AuditRow.number).execution_options(yield_per=_AT_ONCE)
    with session.execute(query) as rows:
        yield map(_record, rows)


def records(session: Session, only: Only, after: int, limit: int, models: Collection[str] | None = None) -> Iterator[AuditRecord]:
    """Read records in order, of `models` alone unless it is None.

    Raises:
        LedgerError: what one holds was altered into something that isn't data.
    """
    query = _narrowed(_behind(after, limit), only)
    for row in session.execute(query if models is None else query.where(AuditRow.model.in_(sorted(models)))):
        record = _record(row)
        if not isinstance(record.data, dict):
            raise LedgerError(f"audit record {record.number} isn't as it was written; `driftwake audit verify` says more")
        yield record


def links(session: Session, after: int, limit: int) -> list[AuditRecord]:
    """Read records of all models in order as they stand, altered ones too."""
    return [_record(row) for row in session.execute(_behind(after, limit))]


def _behind(after: int, limit: int) -> Select[Any]:
    return select(*_COLUMNS).where(AuditRow.number > after).order_by(AuditRow.number).limit(limit)


def _narrowed(query: Select[Any], only: Only) -> Select[Any]:
    equal = (
        (AuditRow.subject, only.subject), (AuditRow.model, only.model), (AuditRow.actor, only.actor), (AuditRow.kind, only.kind),
    )  # fmt: skip
    query = query.where(*(column == value for column, value in equal if value is not None))
    if only.incident is not None:
        # Records of before the column have it as their subject alone.
        query = query.where(or_(AuditRow.incident == only.incident, AuditRow.subject == only.incident))
    if only.since_ms is not None:
        query = query.where(AuditRow.time_ms >= only.since_ms)
    if only.until_ms is not None:
        query = query.where(AuditRow.time_ms < only.until_ms)
    return query


def _record(row: Row[Any]) -> AuditRecord:
    fields = row._asdict()
    return AuditRecord(**fields | {"data": _read(fields["data"])})


def _read(text: Any) -> Any:
    """Read a record's data; what isn't canonical JSON, which no record of ours holds, stays what it is."""
    with contextlib.suppress(ValueError, TypeError, RecursionError, msgspec.MsgspecError):
        parsed = json.loads(text)
        if canonical(parsed).decode() == text:
            return parsed
    return text
