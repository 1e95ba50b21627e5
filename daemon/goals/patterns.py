"""Phrases written short: of `(a|b)` one stands there, of `[a|b]` one or none; they don't lie in each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import Final

_CHOICE: Final = re.compile(r"\(([^()]*)\)|\[([^\[\]]*)\]")
_DOUBLED: Final = frozenset(
    {"cap", "cut", "dip", "drop", "get", "hit", "let", "put", "run", "set", "sit", "slip", "stop", "trim"}
)
_VOWELS: Final = "aeiou"


def spelled(*patterns: str) -> Iterator[str]:
    """Give all phrases that patterns stand for."""
    for pattern in patterns:
        pieces: list[tuple[str, ...]] = []
        at = 0
        for choice in _CHOICE.finditer(pattern):
            pieces.append((pattern[at : choice.start()],))
            pieces.append(tuple((choice[1] or "").split("|")) if choice[2] is None else (*choice[2].split("|"), ""))
            at = choice.end()
        pieces.append((pattern[at:],))
        for chosen in product(*pieces):
            yield " ".join("".join(chosen).split())


def forms(*verbs: str) -> Iterator[str]:
    """Give the forms of verbs that say what is to be, not what was: `fall back`, `falls back`, `falling back`."""
    for verb in spelled(*verbs):
        first, space, rest = verb.partition(" ")
        yield from (f"{one}{space}{rest}" for one in (first, _third(first), _going_on(first)))


def done(*verbs: str) -> Iterator[str]:
    """Give the forms of regular verbs, with what is done to something: `cap`, `caps`, `capping`, `capped`."""
    for verb in spelled(*verbs):
        first, space, rest = verb.partition(" ")
        yield from forms(verb)
        yield f"{_done(first)}{space}{rest}"


def _third(verb: str) -> str:
    if verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        return f"{verb}es"
    return f"{verb[:-1]}ies" if _ends_in_y(verb) else f"{verb}s"


def _going_on(verb: str) -> str:
    if verb in _DOUBLED:
        return f"{verb}{verb[-1]}ing"
    return f"{verb[:-1]}ing" if verb.endswith("e") and not verb.endswith(("ee", "be")) else f"{verb}ing"


def _done(verb: str) -> str:
    if verb in _DOUBLED:
        return f"{verb}{verb[-1]}ed"
    if _ends_in_y(verb):
        return f"{verb[:-1]}ied"
    return f"{verb}d" if verb.endswith("e") else f"{verb}ed"


def _ends_in_y(verb: str) -> bool:
    return verb.endswith("y") and verb[-2:-1] not in _VOWELS
