"""The audit's chain: what a record's hash is over, and how records that aren't as they were written show. Pure.

Each record's hash is SHA-256 over RFC 8785 canonical JSON that holds the hash of the record before it. Whoever can write all of
the database can write a whole new chain, so its head is kept elsewhere too. With a key each hash is sealed besides
(HMAC, RFC 2104), and nobody without the key can write a chain that passes for ours.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from daemon.ledger.canonical import canonical

FIRST = "0" * 64
VERSION = 2

# What the hash is over, by a record's version. A rule is never changed once records were written by it.
_FIRST_RULE = ("number", "time_ms", "wall", "kind", "model", "subject", "data", "previous")
_RULES = {1: _FIRST_RULE, 2: (*_FIRST_RULE, "version", "actor", "incident", "key")}


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One observation, reason, decision, approval, command or result. `hash` is over the rest, `seal` apart.

    `wall` is ISO 8601; `kind` says what was done and `actor` who did it; `incident` is the one that it belongs to, if any; `key`
    names the key of the `seal`, both are empty where there is none. Records of version 1 have neither actor nor incident.
    """

    number: int
    version: int
    time_ms: int
    wall: str
    kind: str
    actor: str
    model: str
    subject: str
    incident: str
    data: Any
    key: str
    previous: str
    hash: str
    seal: str


class Head(NamedTuple):
    """The newest record's number and hash; kept elsewhere, it also shows a chain whose end was cut off."""

    number: int
    hash: str


class AuditFault(NamedTuple):
    """The first record that isn't as it was written, and how it shows."""

    number: int
    problem: str


class Examined(NamedTuple):
    """What a walk along the chain found.

    `head` is the last sound record; `sealed` counts those with a seal, `unchecked` the seals whose key wasn't given.
    """

    fault: AuditFault | None
    head: Head
    sealed: int
    unchecked: int


class Key:
    """A secret that seals hashes.

    Args:
        secret: 32 bytes.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.id = hashlib.sha256(b"driftwake audit key:" + secret).hexdigest()[:8]

    def seal(self, digest: str) -> str:
        """Return the seal of a record's hash, in hex."""
        return hmac.new(self._secret, digest.encode(), "sha256").hexdigest()


def hash_of(record: AuditRecord) -> str:
    """Return the hash that a record must have, in hex.

    Raises:
        KeyError: there is no rule for its version.
    """
    return hashlib.sha256(canonical({name: getattr(record, name) for name in _RULES[record.version]})).hexdigest()


def examine(records: Iterable[AuditRecord | None], anchor: Head | None = None, key: Key | None = None) -> Examined:
    """Walk a chain from its beginning to the first fault, or to its end.

    Args:
        records: in the order in which they stand; None is something that can't be read as a record.
        anchor: a head that was noted elsewhere earlier; the chain must still hold it.
        key: checks the seals that were made with it, and that from the first seal on none is missing.
    """
    walk = _Walk(anchor, key)
    for record in records:
        problem = "unreadable: it isn't as it is exported" if record is None else walk.problem(record)
        if problem or record is None:
            return walk.end(problem)
        walk.go_on(record)
    if anchor is not None and anchor.number > walk.head.number:
        return walk.end(f"missing: the chain ends before record {anchor.number}, which is known to exist")
    return walk.end("")


class _Walk:
    """How far a walk has come: everything up to `head` is sound."""

    def __init__(self, anchor: Head | None, key: Key | None) -> None:
        self.head = Head(0, FIRST)
        self._anchor = anchor
        self._key = key
        self._version = min(_RULES)
        self._sealed = 0
        self._unchecked = 0

    def problem(self, record: AuditRecord) -> str:
        """Say what is wrong with the next record; empty when it is sound."""
        checks = (self._displaced, self._altered, self._unsealed, self._rewritten)
        return next((problem for check in checks if (problem := check(record))), "")

    def go_on(self, record: AuditRecord) -> None:
        """Take a sound record in."""
        self.head = Head(record.number, record.hash)
        self._version = record.version
        self._sealed += bool(record.key)
        self._unchecked += bool(record.key) and (self._key is None or self._key.id != record.key)

    def end(self, problem: str) -> Examined:
        """Say what was found, and where."""
        fault = AuditFault(self.head.number + 1, problem) if problem else None
        return Examined(fault, self.head, self._sealed, self._unchecked)

    def _displaced(self, record: AuditRecord) -> str:
        if record.number > self.head.number + 1:
            return f"missing: the next record found is number {record.number}"
        if record.number <= self.head.number:
            return f"reordered: number {record.number} stands in its place"
        if record.previous != self.head.hash:
            return "reordered or replaced: it doesn't follow the record before it"
        return ""

    def _altered(self, record: AuditRecord) -> str:
        if record.version not in _RULES or record.version < self._version:
            return "altered: it can't be of the version that it says"
        if record.version == 1 and (record.actor or record.incident or record.key or record.seal):
            return "altered: it has what no record of its version has"
        if record.hash != hash_of(record):
            return "altered: its content doesn't match its hash"
        return ""

    def _unsealed(self, record: AuditRecord) -> str:
        if bool(record.key) != bool(record.seal):
            return "altered: its seal was taken off, or put on"
        if self._key is None:
            return ""
        if self._sealed and not record.key:
            return "not sealed, though records before it are"
        if record.key == self._key.id and not hmac.compare_digest(record.seal, self._key.seal(record.hash)):
            return "forged: its seal isn't the key's"
        return ""

    def _rewritten(self, record: AuditRecord) -> str:
        if self._anchor is not None and self._anchor.number == record.number and self._anchor.hash != record.hash:
            return "rewritten: another record with this number is known to have existed"
        return ""
