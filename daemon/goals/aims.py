"""What is to be done with the metric: kept, improved, brought up or down to something."""

from __future__ import annotations

from typing import Final

from daemon.goals.bounds import read_bound
from daemon.goals.naming import METRIC_WORDS
from daemon.goals.parts import BoundPart, Part, VerbPart
from daemon.goals.patterns import forms
from daemon.goals.reading import Found, Reading, listed
from daemon.goals.said.champion import STANDS
from daemon.goals.said.verbs import BEATS, MORE, WANTED
from daemon.goals.words import ARTICLES

_LETS: Final = listed("(allow|allowing|permit|permitting)", "(make|making) do with")
_BRINGS: Final = frozenset(forms("get", "bring", "push", "take", "drive", "pull", "move", "force")) | {
    "brought",
    "pushed",
    "driven",
}
_KEEPS: Final = frozenset(forms("keep", "hold", "stay")) | {"kept", "held"}
_MOST_BETWEEN: Final = 10


def read_verb(reading: Reading, at: int) -> Found[Part] | None:
    """Read what is to be done."""
    if reading.is_one_of(at, {"make", "making"}) and METRIC_WORDS.at(reading, reading.skip(at + 1, ARTICLES | {"our"})):
        return Found(at + 1, VerbPart("reach"))
    if (lets := _LETS.at(reading, at)) and (bound := read_bound(reading, lets.end)) and isinstance(bound.value, BoundPart):
        return Found(lets.end, VerbPart("hold"))
    if (beats := BEATS.at(reading, at)) and (stands := STANDS.at(reading, beats.end)):
        return Found(reading.skip(stands.end, {"'s", "on", "in"}), VerbPart("improve"))
    more = MORE.at(reading, at)
    if more is not None and METRIC_WORDS.at(reading, more.end) is not None:
        verb = {"up": VerbPart("up"), "down": VerbPart("down"), "better": VerbPart("improve")}
        return Found(more.end, verb[more.value]) if more.value in verb else None
    found = WANTED.at(reading, at)
    if found is not None:
        return Found(found.end, VerbPart(found.value))
    return _direction(reading, at)


def _direction(reading: Reading, at: int) -> Found[Part] | None:
    """Read `up` and `down` apart from their verb: `bring recall up`, `get the error rate down`."""
    if not reading.is_one_of(at, {"up", "down"}):
        return None
    before = [token.text for token in reading.tokens[max(0, at - _MOST_BETWEEN) : at]]
    verbs = [word for word in before if word in _BRINGS or word in _KEEPS]
    if not verbs or verbs[-1] in _KEEPS:
        return None
    return Found(at + 1, VerbPart("up" if reading.is_one_of(at, {"up"}) else "down"))
