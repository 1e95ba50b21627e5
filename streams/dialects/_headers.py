"""Headers of a record, as texts. Names are compared without case; of several of one name the last counts."""

from __future__ import annotations

from collections.abc import Sequence


def texts_of(headers: Sequence[tuple[str, bytes]]) -> dict[str, str]:
    """Return the headers by lower-case name; one that isn't UTF-8 is left out."""
    found = {}
    for name, value in headers:
        try:
            found[name.lower()] = bytes(value).decode()
        except UnicodeDecodeError:
            continue
    return found
