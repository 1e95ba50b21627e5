"""What becomes of protected columns, once, where their values come in: hashed with the installation's key, or dropped.

What is equal stays equal, in all columns and models of an installation, so that a hash groups and joins as the value did. It is
no anonymity: whoever has the key can try values, so the key stays where requests are decoded.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from streams.contracts.errors import ConfigError
from streams.contracts.schema import ModelSchema
from streams.runtime.once import write_once

KEY_FILE: Final = "columns.key"
DIGEST_BYTES: Final = 8
_KEY_BYTES: Final = 32
_KEY: Final = re.compile(r"[0-9a-f]{64}")


class Protection:
    """Protects the rows of one model, and their records' keys: who keys requests by a person does so by what is hashed here.

    Args:
        schema: the model's columns; some are protected.
        key: 32 bytes, the same wherever the model's rows come in.
    """

    def __init__(self, schema: ModelSchema, key: bytes) -> None:
        self._hashed = tuple(column.name for column in schema.protected if column.protect == "hash")
        self._dropped = tuple(column.name for column in schema.protected if column.protect == "drop")
        # BLAKE2b with a key (RFC 7693); a copy of the keyed state is as fast as a fresh one.
        self._state = hashlib.blake2b(key=key, digest_size=DIGEST_BYTES)

    def protect(self, features: Any) -> None:
        """Protect a decoded row's columns in place; null, and the empty text that means the same, stay what they are."""
        for name in self._hashed:
            value = getattr(features, name)
            if value:
                setattr(features, name, self._digest(value.encode()))
        for name in self._dropped:
            setattr(features, name, None)

    def record_key(self, key: bytes | None) -> bytes | None:
        """Return what takes the place of a record's key: equal for equal keys, so that a canary's share stays the same."""
        return self._digest(key).encode() if key else key

    def texts(self, values: Iterable[str | None]) -> list[str | None]:
        """Return the hashes of a whole column, as `protect` makes them."""
        known: dict[str | None, str | None] = {None: None, "": ""}
        found = []
        for value in values:
            if value not in known:
                known[value] = self._digest(str(value).encode())
            found.append(known[value])
        return found

    def _digest(self, value: bytes) -> str:
        state = self._state.copy()
        state.update(value)
        return state.hexdigest()


def read_key(file: Path) -> bytes:
    """Return the key of a file.

    Raises:
        ConfigError: it isn't there, can't be read, or isn't a key. The text never holds what was in it.
    """
    try:
        text = file.read_text("ascii").strip()
    except FileNotFoundError:
        finding = (
            f"protection.key_file: columns are hashed, and there is no key in {file}: start `driftwake up` with this data_dir "
            "first, which makes one, or name a copy of that file; all workers of an installation need the same"
        )
        raise ConfigError([finding]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"protection.key_file: {file} can't be read: {type(error).__name__}"]) from None
    if _KEY.fullmatch(text) is None:
        raise ConfigError([f"protection.key_file: {file} isn't a key: it must hold {2 * _KEY_BYTES} lower-case hex digits"])
    return bytes.fromhex(text)


def make_key(file: Path) -> None:
    """Make a key where there is none, readable by its owner only; processes that start at once end up with the same."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            write_once(file, secrets.token_hex(_KEY_BYTES).encode() + b"\n")
