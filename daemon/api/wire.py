"""What goes over the wire beside the ledger's own records; the command line reads the same structs that the daemon writes."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from daemon.access.roles import Role

Item = TypeVar("Item")


class Page(msgspec.Struct, Generic[Item], frozen=True, kw_only=True):
    """Some items in order; `after` asks for those behind them, None when these are the last."""

    items: tuple[Item, ...]
    after: str | int | None


class Ordered(msgspec.Struct, frozen=True, kw_only=True):
    """A command that was taken in; what becomes of it is under its id."""

    id: str


class CommandFate(msgspec.Struct, frozen=True, kw_only=True):
    """A command and what became of it: `new`, `applied` or `rejected`, and why. `role` is what who gave it may."""

    number: int
    id: str
    model: str
    kind: str
    by: str
    role: str
    arguments: dict[str, Any]
    state: str
    reason: str
    applied_ms: int | None


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the audit is whole: how many records are sound, the last of those (NUMBER:HASH), and the first that isn't, if any.

    `sealed` counts records with a seal, `unchecked` those whose key who looked hasn't got.
    """

    records: int
    head: str
    sealed: int = 0
    unchecked: int = 0
    fault_number: int | None = None
    problem: str = ""


class TokenLine(msgspec.Struct, frozen=True, kw_only=True):
    """One token, without anything of the token itself. `expires` is ISO 8601."""

    name: str
    role: Role
    models: tuple[str, ...] | None
    expires: str | None
    is_void: bool
