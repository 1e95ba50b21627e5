"""Text from outside, made fit to be shown to people."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_QUOTED = re.compile(r"['\"].*['\"]", re.DOTALL)
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


def safe(text: str) -> str:
    """Return a text as logs, pages and prompts may show it: itself when plain, else a digest. Strangers write names and ids."""
    return text if _PLAIN.fullmatch(text) else "#" + hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]


def unquoted(text: str) -> str:
    """Leave out what an error's text repeats in quotes, from the first to the last of them: who wrote that isn't known."""
    return _QUOTED.sub("'...'", text)
