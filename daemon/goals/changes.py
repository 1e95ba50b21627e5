"""How far a metric must move, or may move at most, by verbs and comparisons: `by 3 points`, `2 points above today's`."""

from __future__ import annotations

from typing import Final

from daemon.goals.amounts import Amount, amount_at, is_step, size_at, sized
from daemon.goals.denials import Chain, chain_at
from daemon.goals.naming import METRIC_WORDS
from daemon.goals.numbers import share_at
from daemon.goals.parts import ChangePart, Part, Quantity, Trouble, Unit, Way
from daemon.goals.reading import Found, Lexicon, Reading, listed, meaning
from daemon.goals.said.champion import STANDS
from daemon.goals.said.verbs import BETTERS, MORE, MOVES, RISE, WORSENS
from daemon.goals.words import ARTICLES

_BELOW: Final = Lexicon[Way]({
    **meaning("up", "(above|over)", "(higher|more|greater) than"),
    **meaning("down", "(below|under|beneath)", "(lower|less|smaller|shorter|faster|quicker) than"),
    **meaning("worse", "worse than"), **meaning("better", "better than"),
})  # fmt: skip
_LEAST: Final = listed("at [the very] least", "a good", "a full")
_CAUSES: Final = frozenset({"have", "make", "let", "see"})
_FAR: Final = 10
_UNSURE: Final = Trouble("unit", "more or less than now, or than 100? Say `points`, or where to: `at least 90 %`")


def read_change(reading: Reading, at: int) -> Found[Part] | None:
    """Read how far a metric must move, or may move at most."""
    readers = (_by, _moves, _adverb, _grows, _within, _compared)
    found = [one for one in (reader(reading, at) for reader in readers) if one is not None]
    return max(found, key=lambda one: one.end, default=None)


def _by(reading: Reading, at: int) -> Found[Part] | None:
    """Read `by at least 3 points` behind a verb; `by half`."""
    if reading.is_one_of(at, {"in"}) and reading.is_one_of(at + 1, {"half"}) and not reading.is_one_of(at + 2, ARTICLES):
        return Found(at + 2, ChangePart(Quantity(50.0, "relative"), "least"))
    share = share_at(reading, _LEAST.past(reading, at + 1)) if reading.is_one_of(at, {"by"}) else None
    stands = STANDS.at(reading, share.end + 1) if share is not None and reading.is_one_of(share.end, {"of"}) else None
    if share is not None and stands is not None:  # by a quarter of what it is now
        return Found(stands.end, ChangePart(Quantity(share.value, "relative"), "least"))
    if share is not None and not reading.is_one_of(share.end, ARTICLES | {"of"}):
        unit: Unit = "%" if share.value % 20 == 10 else "relative"  # by a tenth may be by 0.1
        return Found(share.end, ChangePart(Quantity(share.value, unit), "least"))
    found = amount_at(reading, at + 1) if reading.is_one_of(at, {"by", "with"}) else None
    if found is not None and reading.is_one_of(at, {"with"}):  # improve it with 3 points
        found = found if found.value.quantity.unit == "points" and not reading.is_one_of(found.end, {"of"}) else None
    if found is None or found.value.limit == "most":
        return None
    return Found(found.end, ChangePart(found.value.quantity, "least"))


def _moves(reading: Reading, at: int) -> Found[Part] | None:
    """Read `must not fall by more than 2 points`, `should go up by 3 points`."""
    chain = chain_at(reading, at)
    way = _way_at(reading, chain.end) if chain.is_sure else None
    found = None if way is None else amount_at(reading, reading.skip(way.end, {"by"}))
    if way is None or found is None:
        return None
    if found.value.limit == "least" and found.value.quantity.unit != "points" and not reading.is_one_of(way.end, {"by"}):
        return None
    is_caused = not chain.links and any(reading.is_one_of(one, _CAUSES) for one in range(max(0, at - _FAR), at))
    part = sized(found.value, way.value) if is_caused and found.value.limit == "least" else _moved(chain, found.value, way.value)
    return None if part is None else Found(found.end, part)


def _moved(chain: Chain, amount: Amount, way: Way) -> ChangePart | None:
    if amount.limit == "least" or (amount.limit == "more" and chain.is_wanted):
        return ChangePart(amount.quantity, "least", way) if chain.is_wanted else None
    if amount.limit == "more":
        return ChangePart(amount.quantity, "most", way, needs_denial=not chain.is_denied)
    return None if chain.is_denied else ChangePart(amount.quantity, "most", way)


def _way_at(reading: Reading, at: int) -> Found[Way] | None:
    if worsens := WORSENS.at(reading, at):
        return Found(worsens.end, "worse")
    if betters := BETTERS.at(reading, at):
        return Found(betters.end, "better")
    moves = MOVES.at(reading, at)
    if moves is None or len(moves.value) > 1:
        return None
    return Found(moves.end, "down" if "down" in moves.value else "up")


def _adverb(reading: Reading, at: int) -> Found[Part] | None:
    """Read `up 2 points`, `down by 10 %`."""
    if not reading.is_one_of(at, {"up", "down"}):
        return None
    found = amount_at(reading, reading.skip(at + 1, {"by"}))
    if (
        found is None
        or found.value.limit != "least"
        or found.value.quantity.unit == ""
        or not is_step(reading, found.value.quantity)
    ):
        return None
    return Found(found.end, sized(found.value, "up" if reading.is_one_of(at, {"up"}) else "down"))


def _grows(reading: Reading, at: int) -> Found[Part] | None:
    """Read `must not get more than 10 % worse`."""
    chain = chain_at(reading, at)
    moves = MOVES.at(reading, chain.end) if chain.is_sure else None
    found = None if moves is None or len(moves.value) == 1 else amount_at(reading, moves.end)
    way = None if found is None else _way_behind(reading, found.end)
    part = None if found is None or way is None else _moved(chain, found.value, way.value)
    return None if way is None or part is None else Found(way.end, part)


def _way_behind(reading: Reading, at: int) -> Found[Way] | None:
    """Read `worse`, or `lower than today`."""
    below, more = _BELOW.at(reading, at), MORE.at(reading, at)
    stands = None if below is None else STANDS.at(reading, below.end)
    if below is not None and stands is not None:
        return Found(stands.end, below.value)
    return None if more is None or reading.is_one_of(more.end, {"than"}) else more


def _within(reading: Reading, at: int) -> Found[Part] | None:
    """Read `within 2 points of today's value`."""
    found = size_at(reading, at + 1) if reading.is_one_of(at, {"within"}) else None
    if found is None or not reading.is_one_of(found.end, {"of", "from"}):
        return None
    stands = STANDS.at(reading, found.end + 1)
    return None if stands is None else Found(stands.end, ChangePart(found.value, "most", "worse"))


def _compared(reading: Reading, at: int) -> Found[Part] | None:
    """Read `2 points above today's level`, `10 % lower RMSE`, `a 10 % reduction in`."""
    found = amount_at(reading, reading.skip(at, ARTICLES | {"of"}))
    if found is None or found.value.limit == "more":
        return None
    more = MORE.at(reading, found.end)
    if not is_step(reading, found.value.quantity):
        is_more = more is not None and METRIC_WORDS.at(reading, more.end) is not None
        return Found(more.end, _UNSURE) if more is not None and is_more else None
    way = _way_behind(reading, found.end) or RISE.at(reading, reading.skip(found.end, {"of"}))
    return None if way is None else Found(way.end, sized(found.value, way.value))
