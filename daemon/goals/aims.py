"""What is to be done with the metric: kept, improved, brought up or down to something."""

from __future__ import annotations

from typing import Final

from daemon.goals.bounds import read_bound
from daemon.goals.naming import METRIC_WORDS, is_metric_before
from daemon.goals.parts import BoundPart, Part, Verb, VerbPart
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
_UTMOST: Final = listed("as (much|far|well) as (possible|we can|you can|it goes)")
_MAKES: Final = frozenset({"make", "making", "render"})
_PAST: Final = frozenset({"kept", "held", "upheld", "met", "brought", "driven", "taken", "got", "gotten", "made", "seen"})
_MOST_BETWEEN: Final = 10


def read_verb(reading: Reading, at: int) -> Found[Part] | None:
    """Read what is to be done."""
    if (lets := _LETS.at(reading, at)) and (bound := read_bound(reading, lets.end)) and isinstance(bound.value, BoundPart):
        return Found(lets.end, VerbPart("hold"))
    if (beats := BEATS.at(reading, at)) and (stands := STANDS.at(reading, beats.end)):
        return Found(reading.skip(stands.end, {"'s", "on", "in"}), VerbPart("improve"))
    if apart := _utmost(reading, at) or _made(reading, at):
        return apart
    more = MORE.at(reading, at)
    if more is not None and METRIC_WORDS.at(reading, more.end) is not None:
        verb = {"up": VerbPart("up"), "down": VerbPart("down"), "better": VerbPart("improve")}
        return Found(more.end, verb[more.value]) if more.value in verb else None
    found = WANTED.at(reading, at)
    if found is None:
        return _direction(reading, at)
    is_past = _is_past(reading.tokens[at].text) and not reading.is_one_of(at - 1, {"be", "get"})
    has_been = is_past and reading.is_one_of(at - 1, {"have"}) and not reading.is_one_of(at - 2, {"to"})
    return None if has_been else Found(found.end, VerbPart(found.value, is_past))


def _utmost(reading: Reading, at: int) -> Found[Part] | None:
    """Read `as much as possible` behind a verb by which something gets better, where there is no number to soften."""
    utmost = _UTMOST.at(reading, at)
    if utmost is None:
        return None
    verbs = (WANTED.at(reading, place) for place in range(max(0, at - _MOST_BETWEEN), at))
    has_number = any(token.kind == "number" for token in reading.tokens)
    is_apart = any(reading.is_one_of(place, {"up", "down"}) for place in range(max(0, at - _MOST_BETWEEN), at))
    is_better = is_apart or any(verb is not None and verb.value in {"improve", "up", "down"} for verb in verbs)
    return Found(utmost.end, VerbPart("improve")) if is_better and not has_number else None


def _made(reading: Reading, at: int) -> Found[Part] | None:
    """Read `make` and `smaller` of `make the calibration error smaller`, which stand apart."""
    if reading.is_one_of(at, _MAKES) and METRIC_WORDS.at(reading, reading.skip(at + 1, ARTICLES | {"our", "its"})) is not None:
        return Found(at + 1, VerbPart("reach"))
    more = MORE.at(reading, at)
    if more is None or not is_metric_before(reading, at) or reading.is_one_of(more.end, {"than"}):
        return None
    is_made = any(reading.is_one_of(place, _MAKES) for place in range(max(0, at - _MOST_BETWEEN), at))
    verb: dict[str, Verb] = {"up": "up", "down": "down", "better": "improve"}
    return Found(more.end, VerbPart(verb[more.value])) if is_made and more.value in verb else None


def _is_past(verb: str) -> bool:
    """Whether a verb may say what was, as `kept` and `improved` do where nobody wishes it."""
    return verb in _PAST or (verb.endswith("ed") and not verb.endswith("eed"))


def _direction(reading: Reading, at: int) -> Found[Part] | None:
    """Read `up` and `down` apart from their verb: `bring recall up`, `get the error rate down`."""
    if not reading.is_one_of(at, {"up", "down"}):
        return None
    before = [token.text for token in reading.tokens[max(0, at - _MOST_BETWEEN) : at]]
    verbs = [word for word in before if word in _BRINGS or word in _KEEPS]
    if not verbs or verbs[-1] in _KEEPS:
        return None
    return Found(at + 1, VerbPart("up" if reading.is_one_of(at, {"up"}) else "down"))
