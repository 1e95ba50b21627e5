"""Who calls: the tokens that are believed now, by the file, the environment, or what was made for this machine."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from daemon.access.config import TOKENS_VARIABLE, AccessConfig
from daemon.access.entries import TokenEntry, entries_of_file, entries_of_local, entries_of_text
from daemon.access.roles import Role
from daemon.access.secret import TokensError, digest_of, is_token, make_local
from streams.contracts.errors import ConfigError
from streams.runtime.clock import WallClock
from streams.runtime.config import environment
from streams.runtime.logging import Log

log = Log("daemon.access.tokens")


class Identity(NamedTuple):
    """Who calls, what he may, and of which models (None: of all)."""

    name: str
    role: Role
    models: frozenset[str] | None = None

    def sees(self, model: str) -> bool:
        """Whether a model is any of his business."""
        return self.models is None or model in self.models


class Tokens:
    """Those who are believed, as the file says now: taking somebody out of it needs no restart.

    Args:
        read: returns all entries, or raises ConfigError.
        wall: for what expires.
        file: looked at before each answer, and read again when it isn't as it was; None where entries can't change.
        own: the daemon's models, where others keep theirs in the same ledger; None where all that is there is its own.

    Raises:
        ConfigError: they can't be read.
    """

    def __init__(
        self,
        read: Callable[[], Sequence[TokenEntry]],
        wall: WallClock,
        file: Path | None = None,
        own: frozenset[str] | None = None,
    ) -> None:
        self._read = read
        self._wall = wall
        self._file = file
        self._own = own
        self._stamp = self._seen()
        self._entries = tuple(read())
        self._findings: tuple[str, ...] = ()

    def identity(self, token: str) -> Identity | None:
        """Return whose token it is, None when it is nobody's or void.

        Raises:
            TokensError: the file can't be used any more; what it said before doesn't count either.
        """
        entries = self.entries()
        if not is_token(token):
            return None
        given, found = digest_of(token), None
        for entry in entries:
            # All are looked at, each in constant time: how long it takes tells nothing.
            if hmac.compare_digest(entry.sha256, given):
                found = entry
        if found is None or (found.expires is not None and self._wall.now() >= found.expires):
            return None
        return Identity(found.name, found.role, self._models_of(found))

    def entries(self) -> tuple[TokenEntry, ...]:
        """Return all entries, void ones too.

        Raises:
            TokensError: the file can't be used any more.
        """
        stamp = self._seen()
        if stamp != self._stamp:
            self._stamp = stamp
            self._read_again()
        if self._findings:
            raise TokensError(self._findings)
        return self._entries

    def _models_of(self, entry: TokenEntry) -> frozenset[str] | None:
        """Return what a token is for. Of other daemons' models only who is named to them and an admin see anything."""
        if entry.models is not None:
            return frozenset(entry.models)
        return None if entry.role == "admin" else self._own

    def _read_again(self) -> None:
        self._entries, self._findings = (), ()
        try:
            self._entries = tuple(self._read())
        except ConfigError as error:
            self._findings = error.findings
            log.error("TokensRefused", reason="; ".join(error.findings))  # noqa: TRY400 - a person must act, no traceback helps
        else:
            log.info("TokensRead", tokens=len(self._entries))

    def _seen(self) -> tuple[int, ...]:
        """Return what tells one state of the file from another; its mode too, for others may be able to write it now."""
        if self._file is None:
            return ()
        try:
            seen = self._file.stat()
        except OSError:
            return ()
        return seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size, seen.st_ino, seen.st_mode


def tokens_of(access: AccessConfig, keys: Path, wall: WallClock, own: frozenset[str] | None = None) -> Tokens:
    """Return those who are believed: of the token file, of the environment, or of the one token made for this machine.

    Args:
        access: may name the file.
        keys: the folder in which the machine's own token is made where neither file nor environment says anything.
        wall: for what expires.
        own: the daemon's models, where others keep theirs in the same ledger; None where all that is there is its own.

    Raises:
        ConfigError: a finding says what to do.
    """
    if access.tokens is not None:
        file = access.tokens
        return Tokens(lambda: entries_of_file(file), wall, file, own)
    given = environment().get(TOKENS_VARIABLE)
    if given is not None:
        return Tokens(lambda: entries_of_text(given), wall, own=own)
    local = make_local(keys)
    return Tokens(lambda: entries_of_local(local), wall, local, own)
