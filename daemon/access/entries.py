"""What the daemon knows of tokens: whose each is, what he may, and its SHA-256, so that reading its files lets nobody call."""

from __future__ import annotations

import datetime as dt
import os
import re
import stat
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import AwareDatetime, ValidationError, field_validator

from daemon.access.config import TOKENS_VARIABLE
from daemon.access.roles import Role
from daemon.access.secret import TokensError, digest_of, read_secret
from streams.contracts.errors import ConfigError
from streams.runtime.config import Section, load
from streams.runtime.findings import findings_of
from streams.runtime.plugins import kinds_of

LOCAL_NAME: Final = "local"
_NOBODYS: Final = frozenset({"driftwake", "requester"})
_NAME: Final = re.compile(r"[a-z][a-z0-9._@-]{0,63}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")


class TokenEntry(Section):
    """One token."""

    name: str
    """Whose it is; it stands in the audit. Several tokens may have the same, so that one can be replaced without a gap."""

    role: Role
    """`viewer` looks on, `operator` freezes, rolls back and hands in bundles too, `approver` also approves, `admin` may all."""

    sha256: str
    """The token's SHA-256 in hex."""

    models: tuple[str, ...] | None = None
    """Only these models; none given: all of this daemon. In a ledger that daemons share (`ledger.url`), other daemons' models are
    seen by those who have them here, and by an `admin` without a list."""

    expires: AwareDatetime | None = None
    """From when on it is void; a date stands for its first moment in UTC."""

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if _NAME.fullmatch(name) is None:
            raise ValueError("must begin with a letter and be at most 64 of a to z, 0 to 9 and ._@-")
        if name in _NOBODYS or name in kinds_of("daemon.planners"):
            raise ValueError(f"{name!r} is the name of what plans, so that its approvals wouldn't count; choose another")
        return name

    @field_validator("sha256")
    @classmethod
    def _check_hash(cls, sha256: str) -> str:
        if _HASH.fullmatch(sha256) is None:
            # What was given isn't shown: it may be the token itself.
            raise ValueError("must be 64 hex digits in lower case, as `driftwake token new` writes them; never the token itself")
        return sha256

    @field_validator("expires", mode="before")
    @classmethod
    def _read_date(cls, value: Any) -> Any:
        if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
            return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
        return value


class TokenFile(Section):
    """All tokens of an installation."""

    tokens: tuple[TokenEntry, ...] = ()
    """Who may do what."""

    @field_validator("tokens")
    @classmethod
    def _check_double(cls, tokens: tuple[TokenEntry, ...]) -> tuple[TokenEntry, ...]:
        hashes = [entry.sha256 for entry in tokens]
        double = next((entry.name for entry in tokens if hashes.count(entry.sha256) > 1), None)
        if double is not None:
            raise ValueError(f"two entries, one of {double!r}, have the same token; who would it be?")
        return tokens


def entries_of_file(file: Path) -> tuple[TokenEntry, ...]:
    """Read a token file.

    Raises:
        ConfigError: it can't be used, or others could write themselves into it.
    """
    try:
        seen = file.stat()
    except OSError as error:
        raise TokensError([f"access.tokens: {file}: {error.strerror}; make it, or name another"]) from error
    if seen.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise TokensError([f"access.tokens: others can write {file}, and so make themselves admin: `chmod go-w` it"])
    if seen.st_uid not in {0, os.geteuid()}:
        raise TokensError([f"access.tokens: {file} belongs to another user, who can write it: make it root's or your own"])
    return load(TokenFile, file, {}).settings.tokens


def entries_of_text(text: str) -> tuple[TokenEntry, ...]:
    """Read what would stand in a token file from the environment.

    Raises:
        TokensError: it can't be used.
    """
    try:
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise TokensError([f"{TOKENS_VARIABLE}: isn't YAML; it holds what a token file would: `tokens: [...]`"]) from None
    if not isinstance(values, dict):  # not shown: it may be a token
        raise TokensError([f"{TOKENS_VARIABLE}: holds what a token file would: `tokens: [...]`"])
    try:
        return TokenFile.model_validate(values).tokens
    except ValidationError as error:
        raise TokensError([f"{TOKENS_VARIABLE}: {one}" for one in findings_of(TokenFile, error, {})]) from None


def entries_of_local(file: Path) -> tuple[TokenEntry, ...]:
    """Read the machine's own token, whose owner may all.

    Raises:
        TokensError: it can't be used.
    """
    return (TokenEntry(name=LOCAL_NAME, role="admin", sha256=digest_of(read_secret(file))),)


def entry_lines(
    token: str, *, name: str, role: Role, models: tuple[str, ...] | None = None, expires: dt.datetime | None = None
) -> list[str]:
    """Write what stands for a token in a token file.

    Raises:
        ConfigError: the name can't be in one.
    """
    try:
        entry = TokenEntry(name=name, role=role, sha256=digest_of(token), models=models, expires=expires)
    except ValidationError as error:
        raise ConfigError(findings_of(TokenEntry, error, {})) from None
    lines = [f"- name: {entry.name}", f"  role: {entry.role}", f'  sha256: "{entry.sha256}"']
    lines += [f"  models: [{', '.join(entry.models)}]"] if entry.models else []
    lines += [f"  expires: {entry.expires.isoformat()}"] if entry.expires else []
    return lines
