"""The audit as canonical JSON lines, one a record, which verify without the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from daemon.ledger.canonical import canonical
from daemon.ledger.chain import AuditRecord


def lines_of(records: Iterable[AuditRecord]) -> Iterator[bytes]:
    """Write each record as a line."""
    return (canonical(record) + b"\n" for record in records)


def records_in(lines: Iterable[bytes]) -> Iterator[AuditRecord | None]:
    """Read what `lines_of` wrote; None stands for a line that it can't have written."""
    return map(_record, lines)


def _record(line: bytes) -> AuditRecord | None:
    try:
        record = msgspec.json.decode(line, type=AuditRecord)
        return record if canonical(record) + b"\n" == line else None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
