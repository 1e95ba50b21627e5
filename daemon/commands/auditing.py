"""`driftwake audit`: verify the chain, show records by what they are about, and write them out for others to verify."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable
from pathlib import Path

import msgspec

from daemon.api.wire import Verified
from daemon.commands.errors import BadInputError
from daemon.commands.looking import anchor_text
from daemon.ledger.audit import AuditRecord, Examined, Head
from daemon.ledger.chain import FIRST, examine
from daemon.ledger.export import lines_of, records_in
from daemon.ledger.ledger import Ledger
from daemon.settings import DaemonSettings

MOST_SHOWN = 1_000


def verified(ledger: Ledger, anchor: str | None) -> Verified:
    """Walk the ledger's audit.

    Raises:
        BadInputError: the anchor isn't `number:hash`.
    """
    return _told(ledger.examine(_anchor(anchor)))


def verified_file(settings: DaemonSettings | None, file: Path, anchor: str | None) -> Verified:
    """Walk an exported audit; without settings its seals aren't checked.

    Raises:
        BadInputError: there is no such file, or the anchor isn't `number:hash`.
        ConfigError: the key that seals the audit can't be read.
    """
    known = _anchor(anchor)
    try:
        with file.open("rb") as lines:
            return _told(examine(records_in(lines), known, settings.audit_key() if settings is not None else None))
    except OSError as error:
        raise BadInputError(f"--file {file}: {error.strerror}") from error


def export(records: Iterable[AuditRecord], file: Path) -> Head:
    """Write the whole audit into a file, which appears when it is complete; return the head that stands in it.

    Raises:
        BadInputError: the file can't be written.
    """
    part, head = file.with_name(f"{file.name}.part"), Head(0, FIRST)
    try:
        with part.open("wb") as output:
            for record in records:
                output.writelines(lines_of([record]))
                head = Head(record.number, record.hash)
        part.replace(file)
    except OSError as error:
        raise BadInputError(f"{file}: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):  # nothing is left half written; after the rename there is nothing
            part.unlink()
    return head


def time_of(option: str, text: str | None) -> int | None:
    """Read a time of day in UTC, or with an offset; in epoch milliseconds.

    Raises:
        BadInputError: it is none.
    """
    if text is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise BadInputError(f"{option} takes a day or time such as 2026-11-23 or 2026-11-23T09:00, not {text!r}") from None
    return int((moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)).timestamp() * 1_000)


def said(found: Verified) -> Iterable[str]:
    """Say what a walk along the chain found, a line each."""
    if found.fault_number is not None:
        yield f"record {found.fault_number} is {found.problem}"
        return
    yield f"whole: {found.records} records, head {found.head}"
    if found.unchecked:
        yield f"{found.unchecked} of {found.sealed} seals weren't checked: their key isn't the config's"
    elif found.sealed:
        yield f"{found.sealed} of them are sealed, and the seals are the key's"


def _told(found: Examined) -> Verified:
    told = Verified(records=found.head.number, head=anchor_text(found.head), sealed=found.sealed, unchecked=found.unchecked)
    fault = found.fault
    return told if fault is None else msgspec.structs.replace(told, fault_number=fault.number, problem=fault.problem)


def _anchor(text: str | None) -> Head | None:
    if text is None:
        return None
    number, _, digest = text.partition(":")
    if not number.isdecimal() or len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise BadInputError("--anchor takes what `driftwake status` calls the audit head: NUMBER:HASH")
    return Head(int(number), digest)
