"""How far a metric moves: `at least 3 points`, `no more than 5 % relative`, `10 % compared to today`."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from daemon.goals.measures import quantity_at
from daemon.goals.parts import ChangePart, Quantity, Way
from daemon.goals.reading import Found, Lexicon, Reading, listed, meaning
from daemon.goals.said.champion import STANDS

Limit = Literal["least", "most", "more"]

_LIMITS: Final = Lexicon[Limit]({
    **meaning("least", "at [the very] least", "a minimum of", "(no|not) less than", "(minimum|min)"),
    **meaning("more", "more than", "over", "(any|anything) more than", "in excess of"),
    **meaning(
        "most", "at [the very] most", "(no|not) more than", "[only] up to", "a maximum of", "(maximum|max)",
        "(no|not) (over|above)",
        "less than", "under",
    ),
})  # fmt: skip
_BEHIND: Final = Lexicon[Limit]({
    **meaning("most", "at [the|the very] most", "or less", "(max|maximum)", "tops",
    "[,] [and|but] (not|no|nothing) (more|further|worse)"), **meaning("least", "at [the] least", "or more",
    "(min|minimum)"),
})  # fmt: skip
_RELATIVE: Final = listed(
    "(relative|relatively)", "in relative terms", "of (its|the) current (value|level)", "of what it is (now|today)"
)
_AGAINST: Final = listed("(relative|compared|in comparison) (to|with)", "(against|versus|vs|over|from|than)")


class Amount(NamedTuple):
    """How far: at least, at most, or more than so much."""

    quantity: Quantity
    limit: Limit


def amount_at(reading: Reading, at: int) -> Found[Amount] | None:
    """Read how far, with what stands before or behind the number."""
    limit = _LIMITS.at(reading, at)
    found = size_at(reading, limit.end if limit else at)
    if found is None:
        return None
    behind = None if limit else _BEHIND.at(reading, found.end)
    said = limit or behind
    return Found(behind.end if behind else found.end, Amount(found.value, said.value if said else "least"))


def size_at(reading: Reading, at: int) -> Found[Quantity] | None:
    """Read a number of how far: `3 points`, `5 % relative`, `5 % relative to today`."""
    found = quantity_at(reading, at)
    if found is None:
        return None
    against, relative = _AGAINST.at(reading, found.end), _RELATIVE.at(reading, found.end)
    if against is not None and (stands := STANDS.at(reading, against.end)) is not None:
        is_relative = reading.is_one_of(found.end, {"relative"}) and found.value.unit == "%"
        return Found(stands.end, found.value._replace(unit="relative") if is_relative else found.value)
    if relative is None or found.value.unit != "%" or reading.is_one_of(relative.end, {"to"}):
        return found
    return Found(relative.end, found.value._replace(unit="relative"))


def is_step(reading: Reading, quantity: Quantity) -> bool:
    """Whether a number is how far: points are; of shares, per cent may be of 100 or of what it is now, and 0.8 where to."""
    return quantity.unit not in {"%", ""} or reading.vocabulary.schema.task == "regression"


def sized(amount: Amount, way: Way) -> ChangePart:
    """Return a change of so much."""
    return ChangePart(amount.quantity, "most" if amount.limit == "most" else "least", way)
