"""Text from outside, made fit to be shown to people."""

from __future__ import annotations

import re
import unicodedata

_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@/\s]+@")
_CONTROL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
MOST_CHARACTERS = 2_000


def masked(text: str) -> str:
    """Hide the password of every URL in a text."""
    return _PASSWORD.sub(r"\1***@", text)


def cleaned(text: str, most: int = MOST_CHARACTERS) -> str:
    """Mask passwords, bound the length, and replace control characters, which could rewrite a terminal, by spaces."""
    kept = masked(text[:most])
    return "".join(" " if unicodedata.category(character) in _CONTROL else character for character in kept)
