"""What a metric must reach: `at least 95 %`, `0.9 or better`, `between 0.8 and 0.95`, `a floor`."""

from __future__ import annotations

from typing import Final

from daemon.goals.measures import quantity_at
from daemon.goals.naming import is_metric_before
from daemon.goals.numbers import number_at
from daemon.goals.parts import BoundPart, Part, Side, SidePart, Trouble
from daemon.goals.reading import Found, Reading
from daemon.goals.said.comparisons import ANYTHING, APART, BEFORE, BEHIND, BOUND_BY, OR_MORE, RANGES, UP_TO, WHERE, WITHIN
from daemon.goals.words import ARTICLES, PER_CENT

_SIGNS: Final = frozenset({"<", "<=", "≤", ">", ">=", "≥", "=>", "=<"})
_TELLS: Final = frozenset({"is", "are", "'s", "we're", "they're", "i'm", "you're", "we've", "they've", "i've"})
_LINKS: Final = frozenset({"at", "@", "of", "to", "is", "are", "be", "=", "with", ":", "level", "value", "levels", "values"})

_MOST_LINKS: Final = 6


def read_bound(reading: Reading, at: int) -> Found[Part] | None:
    """Read what a metric must reach."""
    if ranges := RANGES.at(reading, at):
        return _between(reading, ranges.end)
    place = _skip_links(reading, at)
    is_told = place > at and reading.is_one_of(at, _TELLS) and not reading.is_one_of(at + 1, {"to", "be"})
    is_told = is_told or reading.is_one_of(at - 1, _TELLS)
    found = _compared(reading, ANYTHING.past(reading, place))
    if found is not None and isinstance(found.value, BoundPart):
        if _is_chained(reading, place):
            return None
        is_bare = found.value.is_bare and place == at
        is_restated = reading.is_one_of(at - 1, {"("}) and reading.is_one_of(found.end, {")"})
        is_told = is_told and found.value.is_told
        return Found(found.end, found.value._replace(is_bare=is_bare, is_told=is_told, is_restated=is_restated))
    apart = APART.at(reading, at) or (OR_MORE.at(reading, at) if is_metric_before(reading, at) else None)
    return Found(apart.end, SidePart(apart.value)) if apart is not None and number_at(reading, apart.end) is None else None


def _compared(reading: Reading, at: int) -> Found[BoundPart] | None:
    """Read a number with what stands before or behind it."""
    if up_to := UP_TO.at(reading, at):
        found = quantity_at(reading, up_to.end)
        return None if found is None else Found(found.end, BoundPart(found.value, "ceiling", is_up_to=True))
    if bound_by := BOUND_BY.at(reading, at):
        most = BEFORE.at(reading, bound_by.end)
        found = quantity_at(reading, most.end if most and most.value == "ceiling" else bound_by.end)
        return None if found is None else Found(found.end, BoundPart(found.value, "ceiling"))
    if within := WITHIN.at(reading, at):
        found = quantity_at(reading, within.end)
        return Found(found.end, BoundPart(found.value, "ceiling")) if found is not None and found.value.unit == "ms" else None
    before = BEFORE.at(reading, at)
    number = quantity_at(reading, before.end if before else at)
    if number is None and before is not None:
        number = quantity_at(reading, reading.skip(before.end, {":"} | ARTICLES))
    if number is None:
        return None
    side: Side = before.value if before else "natural"
    part = BoundPart(number.value, side, denied=_denied(reading, at), is_bare=before is None, is_told=True)
    behind = BEHIND.at(reading, number.end)
    if behind is None or number_at(reading, behind.end) is not None or side not in {"natural", behind.value}:
        return Found(number.end, part)
    return Found(behind.end, part._replace(side=behind.value if side == "natural" else side, is_bare=False))


def _is_chained(reading: Reading, at: int) -> bool:
    """Whether a sign compares what stands before it with the number, which is a number too: `80 % < 90 %`."""
    before = reading.token(at - 1)
    is_number = before is not None and (before.kind == "number" or before.text in PER_CENT)
    return is_number and reading.is_one_of(at, _SIGNS)


def _denied(reading: Reading, at: int) -> Side | None:
    """Return what a comparison says where it is denied: what isn't wanted below has a floor."""
    where = WHERE.at(reading, at)
    if where is None or where.value == "worse":
        return None
    return "floor" if where.value == "down" else "ceiling"


def _between(reading: Reading, at: int) -> Found[Part]:
    low = quantity_at(reading, at)
    joint = low is not None and reading.is_one_of(low.end, {"and", "to"})
    high = quantity_at(reading, low.end + 1) if low is not None and joint else None
    if low is None or high is None:
        return Found(at, Trouble("no_number", "`between` needs two numbers, as in `between 80 % and 95 %`"))
    first = low.value if low.value.unit else low.value._replace(unit=high.value.unit)
    return Found(high.end, BoundPart(first, "floor", upper=high.value))


def _skip_links(reading: Reading, at: int) -> int:
    """Pass over words that only lead to a number: `to be 90 %`, `of a 95 %`."""
    furthest = min(reading.skip(at, _LINKS | ARTICLES), at + _MOST_LINKS)
    for place in range(furthest, at, -1):
        if _compared(reading, ANYTHING.past(reading, place)) is not None or APART.at(reading, place) or BEFORE.at(reading, place):
            return place
    return at
