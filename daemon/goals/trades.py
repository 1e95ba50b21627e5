"""How far a metric must move, or may move at most, by what is won or lost: `gain 3 points of`, `a drop of at most 2 points`."""

from __future__ import annotations

from typing import Final

from daemon.goals.amounts import Amount, amount_at, is_step, sized
from daemon.goals.denials import Chain, chain_at
from daemon.goals.measures import unit_at
from daemon.goals.naming import METRIC_WORDS
from daemon.goals.numbers import number_at
from daemon.goals.parts import ChangePart, MovePart, Part, Quantity, Way
from daemon.goals.reading import Found, Lexicon, Reading
from daemon.goals.said.verbs import EXTRA, GAINS, HALVES, LOSES, RISE, SAVES, TAKES
from daemon.goals.words import ARTICLES

_LETS: Final = frozenset({"accept", "accepting", "tolerate", "tolerating", "allow", "allowing", "permit"})
_MOST_BEFORE: Final = 4
_OF: Final = frozenset({"of", "in", "on", "off", "from"})
_TRADES: Final[tuple[tuple[Lexicon[str], Way], ...]] = ((GAINS, "up"), (SAVES, "down"), (TAKES, "down"), (LOSES, "worse"))
_UNITS_SAVED: Final = frozenset({"points", "ms", "own", "%", "relative"})


def read_trade(reading: Reading, at: int) -> Found[Part] | None:
    """Read how much of a metric is to be won, or may be lost at most."""
    readers = (_trades, _extra, _halves, _noun)
    found = [one for one in (reader(reading, at) for reader in readers) if one is not None]
    return max(found, key=lambda one: one.end, default=None)


def _trades(reading: Reading, at: int) -> Found[Part] | None:
    """Read `lose at most 1 point of recall`, `gain 3 points`, `shave 30 ms off`."""
    chain = chain_at(reading, at)
    for verbs, way in _TRADES if chain.is_sure else ():
        verb = verbs.at(reading, chain.end)
        found = None if verb is None else amount_at(reading, verb.end)
        part = None if found is None else _traded(chain, found.value, way)
        if found is not None and part is not None and (verbs is not TAKES or reading.is_one_of(found.end, {"off"})):
            end = reading.skip(found.end, _OF | ARTICLES)
            return Found(end if METRIC_WORDS.at(reading, end) else found.end, part)
    return None


def _traded(chain: Chain, amount: Amount, way: Way) -> ChangePart | None:
    if way == "worse":
        if amount.limit == "more":
            return ChangePart(amount.quantity, "most", "worse", needs_denial=not chain.is_denied)
        return sized(amount, way) if amount.limit == "most" and not chain.is_denied else None
    units = {"points"} if way == "up" else _UNITS_SAVED
    if chain.is_denied or amount.limit == "most" or amount.quantity.unit not in units:
        return None
    return sized(amount, way)


def _extra(reading: Reading, at: int) -> Found[Part] | None:
    """Read `another 2 points of`, `2 more points of`."""
    verb = GAINS.at(reading, at)
    begin = verb.end if verb else at
    extra = EXTRA.at(reading, begin)
    found = amount_at(reading, extra.end) if extra else _more(reading, reading.skip(begin, ARTICLES))
    if found is None or found.value.limit != "least" or found.value.quantity.unit != "points":
        return None
    return Found(reading.skip(found.end, _OF), sized(found.value, "up"))


def _more(reading: Reading, at: int) -> Found[Amount] | None:
    """Read `2 more points`."""
    number = number_at(reading, at)
    if number is None:
        return None
    extra = EXTRA.at(reading, number.end)
    more = extra.end if extra else number.end + 1 if reading.is_one_of(number.end, {"more"}) else None
    unit = None if more is None else unit_at(reading, more, number.value.value)
    return None if unit is None else Found(unit.end, Amount(unit.value, "least"))


def _halves(reading: Reading, at: int) -> Found[Part] | None:
    halves = HALVES.at(reading, at)
    return None if halves is None else Found(halves.end, ChangePart(Quantity(50.0, "relative"), "least", "down"))


def _noun(reading: Reading, at: int) -> Found[Part] | None:
    """Read `a drop of at most 2 points`, and `a drop in`, whose size stands behind the metric."""
    rise = RISE.at(reading, reading.skip(at, ARTICLES))
    if rise is None or not reading.is_one_of(rise.end, {"in", "of", "by"}):
        return None
    found = amount_at(reading, rise.end + 1)
    is_let = any(reading.is_one_of(place, _LETS) for place in range(max(0, at - _MOST_BEFORE), at))
    if found is not None and is_let and rise.value in {"down", "up", "worse"} and found.value.limit == "least":
        found = found._replace(value=found.value._replace(limit="most"))  # we accept a drop of 2 points
    if found is not None and is_step(reading, found.value.quantity):
        is_more = found.value.limit == "more"
        part = (
            ChangePart(found.value.quantity, "most", rise.value, needs_denial=True) if is_more else sized(found.value, rise.value)
        )
        return Found(found.end, part)
    place = reading.skip(rise.end, {"in", "of"} | ARTICLES | {"our"})
    return Found(place, MovePart(rise.value)) if METRIC_WORDS.at(reading, place) else None
