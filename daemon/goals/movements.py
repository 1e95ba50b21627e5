"""Bounds that are said by a movement: `must not fall below 90 %`, `never exceeds 200 ms`, `has to rise to 0.8`."""

from __future__ import annotations

from typing import Final, NamedTuple

from daemon.goals.bounds import read_bound
from daemon.goals.denials import Chain, chain_at
from daemon.goals.measures import quantity_at
from daemon.goals.naming import METRIC_WORDS
from daemon.goals.parts import BoundPart, Part, Quantity, Side, SidePart, VerbPart
from daemon.goals.reading import Found, Lexicon, Reading, listed, meaning
from daemon.goals.said.comparisons import WHERE
from daemon.goals.said.verbs import BREACHES, EXCEEDS, FALLS_SHORT, MOVES, WENT
from daemon.goals.words import ARTICLES

_BACK: Final = listed("back", "down", "up", "again", "further", "any further")
_TO: Final = listed("to", "up to", "down to")
_LIMITS: Final = Lexicon[Side]({
    **meaning("ceiling", "up to", "as (high|much) as", "[to] at most", "at the most", "[to] no (more|higher) than"),
    **meaning("floor", "down to", "as (low|little) as", "at [the] least", "[to] no (less|lower) than"),
})  # fmt: skip
_AT_THE_END: Final = Lexicon[Side]({
    **meaning("ceiling", "at [the] most", "(max|maximum)", "[,] but (no|not) (higher|more|further)"),
    **meaning("floor", "at [the] (least|lowest)", "(min|minimum)", "[,] but (no|not) (lower|less|further)"),
})  # fmt: skip


_IS: Final = frozenset({"is", "are"})
_GOES_ON: Final = frozenset({
    "by", "to", "below", "above", "under", "over", "beneath", "beyond", "past", "at", "no", "not", "more", "less", "a", "an",
    "up", "down", "as", "from", "further", "back", "until",
})  # fmt: skip
_EITHER: Final = frozenset({"down", "up"})
_FAR: Final = 5
_WHERE_TO: Final = frozenset({"to", "as"})
_BY_MORE: Final = frozenset({"more", "greater", "larger", "bigger"})


class _Moved(NamedTuple):
    """A number that something moves past or to: what it says when it is wanted, and when it is denied."""

    quantity: Quantity
    wanted: Side | None
    denied: Side | None
    is_still: bool = False


def read_moved_bound(reading: Reading, at: int) -> Found[Part] | None:
    """Read a bound that is said by a movement."""
    chain = chain_at(reading, at)
    if not chain.is_clear:
        return None
    is_from = not chain.links and reading.is_one_of(at, {"from", "against"})
    found = _moved(reading, at + 1 if is_from else chain.end)
    is_still = found is None and chain.is_denied and _is_still(reading, chain.end)
    found = _past(reading, Found(chain.end, _EITHER)) if is_still else found
    if found is not None and not chain.is_let:
        part = _denied(found.value, is_open=is_from) if is_from or chain.is_denied else _wanted(chain, found.value)
        is_told = is_still or chain.is_told or WENT.at(reading, chain.end) is not None
        if is_told and isinstance(part, BoundPart):
            part = part._replace(is_told=True, side=part.side or (None if chain.is_denied else found.value.wanted))
        return None if part is None else Found(found.end, part)
    return _let(reading, chain) or _apart(reading, chain) or _at(reading, chain) or _goes(reading, chain)


def _denied(moved: _Moved, *, is_open: bool) -> Part | None:
    """Return what a denied movement says; with `is_open` a denial may stand before it: `prevent it from falling below`."""
    return None if moved.denied is None else BoundPart(moved.quantity, moved.denied, moved.denied if is_open else None)


def _wanted(chain: Chain, moved: _Moved) -> Part | None:
    side = moved.wanted if chain.is_wanted else None
    if side is None and moved.denied is None:
        return None
    return BoundPart(moved.quantity, side, moved.denied, wished=moved.wanted if moved.is_still else None)


def _apart(reading: Reading, chain: Chain) -> Found[Part] | None:
    """Read `do not exceed an error rate of`, whose number stands behind the metric."""
    over, under = EXCEEDS.at(reading, chain.end), FALLS_SHORT.at(reading, chain.end)
    verb = over or under
    if verb is None:
        return None
    place = reading.skip(verb.end, ARTICLES)
    if METRIC_WORDS.at(reading, place) is None:
        return None
    return Found(place, SidePart("ceiling" if (over is not None) == chain.is_denied else "floor"))


def _at(reading: Reading, chain: Chain) -> Found[Part] | None:
    """Read `needs to come in`, behind which a bound stands."""
    moves = MOVES.at(reading, chain.end)
    if moves is None or len(moves.value) == 1 or not chain.is_wanted:
        return None
    bound = read_bound(reading, moves.end)
    return Found(moves.end, VerbPart("hold")) if bound is not None and isinstance(bound.value, BoundPart) else None


def _goes(reading: Reading, chain: Chain) -> Found[Part] | None:
    """Read `should go up`, behind which nothing says how far or where to."""
    moves = MOVES.at(reading, chain.end) if chain.is_wanted else None
    after = None if moves is None else reading.token(moves.end)
    if moves is None or len(moves.value) > 1 or (after is not None and (after.kind == "number" or after.text in _GOES_ON)):
        return None
    return Found(moves.end, VerbPart("up" if "up" in moves.value else "down"))


def _let(reading: Reading, chain: Chain) -> Found[Part] | None:
    """Read how far something may go: `may be up to 5 %`, `may fall as low as 80 %`."""
    if not chain.is_let:
        return None
    moves = MOVES.at(reading, chain.end)
    if moves is None:
        return None
    place = moves.end - 1 if reading.is_one_of(moves.end - 1, {"up", "down"}) else moves.end
    limit = _LIMITS.at(reading, place) or _LIMITS.at(reading, moves.end)
    begin = limit.end if limit else _TO.past(reading, moves.end)
    found = quantity_at(reading, begin)
    is_far = not any(reading.is_one_of(one, _WHERE_TO) for one in range(moves.end, begin))
    if found is None or found.value.unit == "points" or (is_far and len(moves.value) == 1):
        return None  # can rise 3 points at most
    end = _AT_THE_END.at(reading, found.end)
    sides = {one.value for one in (limit, end) if one is not None}
    return Found(end.end if end else found.end, BoundPart(found.value, sides.pop())) if len(sides) == 1 else None


def _moved(reading: Reading, at: int) -> Found[_Moved] | None:
    if over := EXCEEDS.at(reading, at):
        found = quantity_at(reading, over.end)
        return None if found is None else Found(found.end, _Moved(found.value, "floor", "ceiling"))
    if breaches := BREACHES.at(reading, at):
        found = quantity_at(reading, breaches.end)
        return None if found is None else Found(found.end, _Moved(found.value, None, "natural"))
    if under := FALLS_SHORT.at(reading, at):
        found = quantity_at(reading, under.end)
        return None if found is None else Found(found.end, _Moved(found.value, "ceiling", "floor"))
    moves = MOVES.at(reading, at) or WENT.at(reading, at)
    if moves is None:
        return None
    return _past(reading, moves) or _past(reading, Found(_BACK.past(reading, moves.end), moves.value)) or _to(reading, moves)


def _is_still(reading: Reading, at: int) -> bool:
    """Whether a number is compared right behind words that deny, with `is` before them: `is at no time lower than 92 %`."""
    return WHERE.at(reading, at) is not None and any(reading.is_one_of(place, _IS) for place in range(max(0, at - _FAR), at))


def _past(reading: Reading, moves: Found[frozenset[str]]) -> Found[_Moved] | None:
    """Read `fall below 80 %`; what must not fall below has a floor."""
    where = WHERE.at(reading, moves.end)
    found = None if where is None else quantity_at(reading, where.end)
    is_step = len(moves.value) == 1 and reading.is_one_of(moves.end, _BY_MORE)  # rise more than half a point
    if where is None or found is None or is_step or found.value.unit == "points":
        return None
    if where.value == "worse":
        return Found(found.end, _Moved(found.value, None, "natural"))
    if where.value not in moves.value:
        return None
    sides: tuple[Side, Side] = ("ceiling", "floor") if where.value == "down" else ("floor", "ceiling")
    return Found(found.end, _Moved(found.value, *sides, is_still=len(moves.value) > 1))


def _to(reading: Reading, moves: Found[frozenset[str]]) -> Found[_Moved] | None:
    """Read `rise to 80 %`, which says nothing when it is denied."""
    to = _TO.at(reading, moves.end)
    found = None if to is None else quantity_at(reading, to.end)
    if found is None:
        return None
    wanted: Side = "natural" if len(moves.value) > 1 else "floor" if "up" in moves.value else "ceiling"
    return Found(found.end, _Moved(found.value, wanted, None))
