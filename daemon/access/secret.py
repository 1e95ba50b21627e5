"""The token itself: made once, shown once, kept by its owner. It is 256 random bits, so guessing it is hopeless."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Final

from streams.contracts.errors import ConfigError
from streams.runtime.once import write_once

LOCAL_FILE: Final = "local.token"
_PREFIX: Final = "dw_"  # so that scanners for leaked secrets can know one
_FORM: Final = re.compile(r"dw_[A-Za-z0-9_-]{43}")
_LARGEST_BYTES: Final = 200


class TokensError(ConfigError):
    """A token, or the file that lists them, can't be used as it is now."""


def new_token() -> str:
    """Make a token."""
    return _PREFIX + secrets.token_urlsafe(32)


def is_token(text: str) -> bool:
    """Whether a text has the form of a token."""
    return _FORM.fullmatch(text) is not None


def digest_of(token: str) -> str:
    """Return what others may know of a token: its SHA-256 in hex. So many random bits need no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


def make_local(keys: Path) -> Path:
    """Make the machine's own token, readable by its owner only, where there is none; return its file."""
    file = keys / LOCAL_FILE
    if not file.exists():
        keys.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # another process was first
            write_once(file, new_token().encode() + b"\n")
    return file


def read_secret(file: Path) -> str:
    """Return the token that a file holds, which nobody but its owner may read.

    Raises:
        TokensError: it can't be read, or others can. The text never holds what was in it.
    """
    try:
        with file.open("rb") as opened:
            seen = os.fstat(opened.fileno())
            text = opened.read(_LARGEST_BYTES).decode("ascii", "replace").strip()
    except OSError as error:
        raise TokensError([f"{file}: can't be read: {error.strerror}; name the file of your token: --token-file"]) from error
    if stat.S_ISREG(seen.st_mode) and seen.st_mode & 0o077:
        raise TokensError([f"{file}: others can read this token: `chmod 600` it, and replace it by a new one"])
    if not is_token(text):
        raise TokensError([f"{file}: holds no token; `driftwake token new` makes one"])
    return text
