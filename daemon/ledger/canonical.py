"""One way to write JSON: RFC 8785, so that equal values have equal bytes and equal digests."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import msgspec
import rfc8785

_LARGEST = 2**53 - 1


def plain(value: Any) -> Any:
    """Turn structs, tuples, and what JSON can't hold into what it can: not finite becomes null, huge integers text."""
    return _clean(msgspec.to_builtins(value, str_keys=True))


def canonical(value: Any) -> bytes:
    """Encode canonically."""
    return rfc8785.dumps(plain(value))


def digest_of_bytes(data: bytes) -> str:
    """Return the SHA-256 of bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def encodable(text: str) -> str:
    """Replace halves of surrogate pairs, which names of files can hold and UTF-8 can't."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def writable(text: str) -> str:
    """Replace what not every database holds in a text: NUL besides."""
    return encodable(text).replace("\0", "\ufffd")


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {encodable(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) <= _LARGEST else str(value)
    return value
