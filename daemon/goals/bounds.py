"""What a metric must reach, or how far it must move: `at least 95 %`, `doesn't fall below 0.9`, `by 3 points`."""

from __future__ import annotations

from typing import Final

from daemon.goals.parts import BoundPart, ChangePart, DenialPart, Part, Quantity, Side, SidePart, Trouble, Unit
from daemon.goals.reading import Found, Lexicon, Reading, number_at
from daemon.goals.words import ARTICLES, CEILINGS, FLOORS, MILLISECONDS, PER_CENT, POINTS

_PLAIN: Final[dict[str, Side]] = {
    **dict.fromkeys(FLOORS, "floor"), **dict.fromkeys(CEILINGS, "ceiling"),
    **dict.fromkeys((
        "at", "@", "of", "to", "=", "==", "is", "equal to", "down to", "no worse than", "not worse than", "better than",
    ), "natural"),
}  # fmt: skip
_SIGNS: Final = frozenset({"<", "<=", "≤", ">", ">=", "≥"})
_COMPARISONS: Final = Lexicon[Side](_PLAIN)
_UP_TO: Final = Lexicon[bool]({"up to": True})
_LINKS: Final = frozenset({"at", "@", "of", "to", "is", "are", "be", "=", "with", ":"})
_APART: Final = frozenset({"minimum", "min", "maximum", "max"})
_BEHIND: Final = Lexicon[Side]({
    **dict.fromkeys(
        (
            "or more", "or higher", "or above", "or over", "or greater", "and above", "and up", "and higher", "or up", "+",
            "minimum", "min", "at least", "at minimum",
        ),
        "floor",
    ),
    **dict.fromkeys(
        (
            "or less", "or lower", "or below", "or under", "or fewer", "and below", "and lower", "maximum", "max", "at most",
            "at maximum",
        ),
        "ceiling",
    ),
    "or better": "natural",
})  # fmt: skip

_DENIALS: Final = Lexicon[bool](dict.fromkeys((
    "must not", "mustn't", "should not", "shouldn't", "shall not", "may not", "can not", "cannot", "can't", "does not",
    "doesn't", "do not", "don't", "is not to", "are not to", "isn't to", "will not", "won't", "never", "not", "not to",
    "must never", "should never", "shall never", "may never", "is never to", "ought not to", "is not allowed to",
    "isn't allowed to", "must not be allowed to", "to never", "must not ever",
), True))  # fmt: skip
_LETS: Final = Lexicon[bool](dict.fromkeys((
    "avoid", "under no circumstances should", "in no case may", "in no case should", "don't let", "do not let", "never let",
    "don't allow", "do not allow", "never allow", "must not let", "not let", "not allow", "can't have", "cannot have",
    "can not have", "don't want", "do not want", "we don't want", "we can't have", "i don't want", "we cannot have",
), True))  # fmt: skip
_WAYS: Final = Lexicon[frozenset[str]]({
    **dict.fromkeys(
        (
            "fall", "falls", "drop", "drops", "dip", "dips", "slip", "slips", "sink", "sinks", "decline", "declines",
            "decrease", "decreases", "go down", "to fall", "to drop", "falling", "dropping", "dipping", "slipping", "sinking",
            "declining", "going down",
        ),
        frozenset({"down"}),
    ),
    **dict.fromkeys(
        (
            "rise", "rises", "climb", "climbs", "grow", "grows", "increase", "increases", "creep", "creeps", "go up", "to rise",
            "creep up", "rising", "climbing", "growing", "creeping up", "going up",
        ),
        frozenset({"up"}),
    ),
    **dict.fromkeys((
        "go", "goes", "get", "gets", "be", "come", "to go", "to be", "to get", "going", "getting", "being",
    ), frozenset({"down", "up"})),
})  # fmt: skip
_EXCEEDS: Final = frozenset({"exceed", "exceeds", "exceeding", "surpass", "surpasses"})
_WORSENS: Final = frozenset({"lose", "loses", "worsen", "worsens", "degrade", "degrades", "deteriorate", "deteriorates"})
_BELOW: Final = Lexicon[str]({
    **dict.fromkeys(("below", "under", "beneath", "lower than", "less than", "smaller than", "to below", "to under"), "down"),
    **dict.fromkeys((
        "above", "over", "higher than", "more than", "greater than", "beyond", "past", "larger than", "to above",
    ), "up"),
    "worse than": "worse",
})  # fmt: skip
_BY_LEAST: Final = Lexicon[bool](dict.fromkeys(("at least", "a minimum of", "no less than", "not less than"), True))
_BY_MORE: Final = Lexicon[bool]({"more than": True, "over": True})
_BY_MOST: Final = Lexicon[bool](dict.fromkeys(("at most", "no more than", "not more than", "up to", "a maximum of"), True))
_STANDS: Final = Lexicon[bool](dict.fromkeys((
    "today's", "today's value", "today's level", "the current value", "the current level", "its current value",
    "its current level", "the champion", "the champion's", "the champion's value", "where it is now", "where it is today",
    "current",
), True))  # fmt: skip


def read_bound(reading: Reading, at: int) -> Found[Part] | None:
    """Read what a metric must reach."""
    if reading.is_one_of(at, {"between"}):
        return _between(reading, at)
    start = at
    at = _skip_links(reading, at)
    if up_to := _UP_TO.at(reading, at):
        found = _quantity(reading, up_to.end)
        return None if found is None else Found(found.end, BoundPart(found.value, "ceiling", is_up_to=True))
    comparison = _COMPARISONS.at(reading, at)
    side: Side = comparison.value if comparison else "natural"
    place = reading.skip(comparison.end, {":"}) if comparison else at
    number = _quantity(reading, place)
    if number is not None and _is_chained(reading, at):
        return None
    if number is None:
        is_apart = comparison is not None and comparison.end == start + 1 and reading.is_one_of(start, _APART)
        return Found(start + 1, SidePart(side)) if is_apart else None
    behind = _BEHIND.at(reading, number.end)
    if behind is not None and side == "natural" and number_at(reading, behind.end) is None:
        return Found(behind.end, BoundPart(number.value, behind.value))
    is_bare = comparison is None and at == start
    return Found(number.end, BoundPart(number.value, side, denied=_denied(reading, at), is_bare=is_bare))


def _is_chained(reading: Reading, at: int) -> bool:
    """Whether a sign compares what stands before it with the number, which is a number too: `80 % < 90 %`."""
    before = reading.token(at - 1)
    is_number = before is not None and (before.kind == "number" or before.text in PER_CENT)
    return is_number and reading.is_one_of(at, _SIGNS)


def _denied(reading: Reading, at: int) -> Side | None:
    """Return what a comparison says where it is denied: what isn't wanted below has a floor."""
    where = _BELOW.at(reading, at)
    if where is None or where.value == "worse":
        return None
    return "floor" if where.value == "down" else "ceiling"


def read_moved_bound(reading: Reading, at: int) -> Found[Part] | None:
    """Read a bound that is said by a movement: `must not fall below 90 %`, `never exceeds 200 ms`."""
    denial = _DENIALS.at(reading, at)
    place = denial.end if denial else at
    place = reading.skip(place, {"ever"})
    if reading.is_one_of(place, _EXCEEDS):
        found = _quantity(reading, place + 1)
        if found is None:
            return None
        part = BoundPart(found.value, "ceiling") if denial else BoundPart(found.value, "floor", denied="ceiling")
        return Found(found.end, part)
    ways = _WAYS.at(reading, place)
    if ways is None:
        return None
    side = _side_denied(reading, ways)
    if side is None:
        return None
    found = _quantity(reading, side.end)
    if found is None:
        return None
    part = BoundPart(found.value, side.value) if denial else BoundPart(found.value, None, denied=side.value)
    return Found(found.end, part)


def read_change(reading: Reading, at: int) -> Found[Part] | None:
    """Read how far a metric must move, or may move at most."""
    return _by(reading, at) or _worsens(reading, at) or _within(reading, at)


def read_denial(reading: Reading, at: int) -> Found[Part] | None:
    """Read `don't let`."""
    found = _LETS.at(reading, at)
    return None if found is None else Found(found.end, DenialPart())


def _side_denied(reading: Reading, ways: Found[frozenset[str]]) -> Found[Side] | None:
    """Return the bound that a denied movement makes: what must not fall below has a floor."""
    where = _BELOW.at(reading, ways.end)
    if where is None:
        return None
    if where.value == "worse":
        return Found(where.end, "natural")
    if where.value not in ways.value:
        return None
    return Found(where.end, "floor" if where.value == "down" else "ceiling")


def _between(reading: Reading, at: int) -> Found[Part]:
    low = _quantity(reading, at + 1)
    joint = low is not None and reading.is_one_of(low.end, {"and"})
    high = _quantity(reading, low.end + 1) if low is not None and joint else None
    if low is None or high is None:
        return Found(at + 1, Trouble("no_number", "`between` needs two numbers, as in `between 80 % and 95 %`"))
    first = low.value if low.value.unit else low.value._replace(unit=high.value.unit)
    return Found(high.end, BoundPart(first, "floor", upper=high.value))


def _by(reading: Reading, at: int) -> Found[Part] | None:
    if not reading.is_one_of(at, {"by"}):
        return None
    least = _BY_LEAST.at(reading, at + 1) or _BY_MORE.at(reading, at + 1)
    found = _quantity(reading, least.end if least else at + 1)
    return None if found is None else Found(found.end, ChangePart(found.value, "improve"))


def _worsens(reading: Reading, at: int) -> Found[Part] | None:
    """Read `must not fall by more than 2 points`, `may fall by at most 2 points`, `don't lose more than one point of`."""
    denial = _DENIALS.at(reading, at)
    place = denial.end if denial else reading.skip(at, {"may", "can"})
    ways = _WAYS.at(reading, place)
    if ways is not None and len(ways.value) == 1:
        way, place = next(iter(ways.value)), ways.end
    elif reading.is_one_of(place, _WORSENS):
        way, place = "", place + 1
    else:
        return None
    place = reading.skip(place, {"by"})
    more, most = _BY_MORE.at(reading, place), _BY_MOST.at(reading, place)
    limit = more or most
    if limit is None or (most is not None and denial is not None):
        return None
    found = _quantity(reading, limit.end)
    if found is None:
        return None
    needs_denial = more is not None and denial is None
    part = ChangePart(found.value, "hold", "down" if way == "down" else "up" if way else None, needs_denial)
    return Found(found.end, part)


def _within(reading: Reading, at: int) -> Found[Part] | None:
    """Read `within 2 points of today's value`."""
    if not reading.is_one_of(at, {"within"}):
        return None
    found = _quantity(reading, at + 1)
    if found is None or not reading.is_one_of(found.end, {"of"}):
        return None
    stands = _STANDS.at(reading, found.end + 1)
    return None if stands is None else Found(stands.end, ChangePart(found.value, "hold"))


def _skip_links(reading: Reading, at: int) -> int:
    """Pass over words that only lead to a number: `to be 90 %`, `of a 95 %`."""
    furthest = reading.skip(at, _LINKS | ARTICLES)
    for place in range(furthest, at, -1):
        if _number(reading, place) or _COMPARISONS.at(reading, place) or _UP_TO.at(reading, place):
            return place
    return at


def _number(reading: Reading, at: int) -> bool:
    return _quantity(reading, at) is not None


def _quantity(reading: Reading, at: int) -> Found[Quantity] | None:
    """Read a number that isn't negative, and its unit."""
    number = number_at(reading, at)
    if number is None and reading.is_one_of(at, {"a", "one"}) and reading.is_one_of(at + 1, {"point"}):
        return Found(at + 2, Quantity(1.0, "points"))
    if number is None or number.value.value < 0 or number.value.raw.startswith("-"):
        return None
    return _with_unit(reading, number.end, number.value.value)


def _with_unit(reading: Reading, at: int, value: float) -> Found[Quantity]:
    token = reading.token(at)
    if reading.is_one_of(at, {"per"}) and reading.is_one_of(at + 1, {"cent"}):
        return _in_points(reading, at + 2, value)
    if reading.is_one_of(at, PER_CENT | {"percentage"}):
        return _in_points(reading, at + 1, value)
    if reading.is_one_of(at, POINTS):
        return Found(at + 1, Quantity(value, "points"))
    if token is not None and token.kind == "word" and token.text in MILLISECONDS:
        return Found(at + 1, Quantity(value * MILLISECONDS[token.text], "ms"))
    return Found(at, Quantity(value, ""))


def _in_points(reading: Reading, at: int, value: float) -> Found[Quantity]:
    """Return per cent, or points where it goes on so: `3 % points`."""
    unit: Unit = "points" if reading.is_one_of(at, POINTS) else "%"
    return Found(at + 1 if unit == "points" else at, Quantity(value, unit))
