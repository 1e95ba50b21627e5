"""What comes from topics and can't be kept as it is: refused at the door, so that it neither stops the daemon nor is altered."""

from __future__ import annotations

import msgspec

from daemon.ledger.canonical import plain
from streams.contracts.errors import ContractError
from streams.contracts.events import DriftEvent
from streams.contracts.labels import LATEST_MS
from streams.contracts.records import Command

LONGEST_ID = 128


def check_event(event: DriftEvent) -> None:
    """Look whether an event can be stored and read again as it is.

    Raises:
        ContractError: it can't.
    """
    _check(event)
    if not 0 <= event.time_ms <= LATEST_MS:
        raise ContractError("an event of no time that there is")


def check_command(command: Command) -> None:
    """Look whether a command can be stored and read again as it is.

    Raises:
        ContractError: it can't.
    """
    _check(command)


def _check(record: DriftEvent | Command) -> None:
    if not 1 <= len(record.id) <= LONGEST_ID or "\0" in record.id:
        raise ContractError(f"an id has 1 to {LONGEST_ID} characters, none of them NUL")
    try:
        is_kept = msgspec.convert(plain(record), type(record)) == record
    except msgspec.ValidationError:
        is_kept = False
    if not is_kept:
        raise ContractError("it holds numbers or texts that JSON can't keep")
