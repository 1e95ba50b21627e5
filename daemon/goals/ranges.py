"""Which numbers of a column belong to a cohort: `at least 65`, `from 18 and below 25`.

A cohort's range has its first number in it and not its last, as slices have. What says otherwise (`over 60`, `up to 100`) is
refused with what to say: 60 itself would be on the wrong side.
"""

from __future__ import annotations

from typing import Final

from daemon.goals.parts import Trouble
from daemon.goals.reading import Found, Lexicon, Reading, number_at
from daemon.goals.words import CURRENCIES, MILLISECONDS, PER_CENT, POINTS
from streams.contracts.schema import Column
from streams.contracts.slices import Condition

_LINKS: Final = frozenset({"is", "are", "of", "being", ":"})
_LOW: Final = Lexicon[bool](dict.fromkeys((
    "at least", "from", "no less than", "not less than", "no lower than", "not below", "not under", "starting at",
    "starting from", ">=", "≥", "a minimum of", "minimum", "at or above",
), True))  # fmt: skip
_HIGH: Final = Lexicon[bool](dict.fromkeys((
    "below", "under", "less than", "lower than", "smaller than", "younger than", "fewer than", "<", "up to below",
    "up to but not",
), True))  # fmt: skip
_OTHER: Final = Lexicon[bool](dict.fromkeys((
    "above", "over", "more than", "greater than", "higher than", "larger than", "older than", ">", "at most", "up to",
    "no more than", "not more than", "<=", "≤", "between", "=", "==", "equal to", "equals", "!=", "not", "maximum",
    "a maximum of", "at or below",
), True))  # fmt: skip
_BEHIND: Final = Lexicon[bool](dict.fromkeys((
    "or more", "or older", "or higher", "or above", "or over", "and up", "and above", "and over", "and older", "and more", "+",
), True))  # fmt: skip
_JOINTS: Final = frozenset({"and", "to", "but", ","})


def range_at(reading: Reading, at: int, column: Column) -> Found[Condition | Trouble] | None:
    """Read what a number must be, behind its column."""
    place = reading.skip(at, _LINKS)
    if low := _LOW.at(reading, place):
        return _from(reading, low.end, column)
    if high := _HIGH.at(reading, place):
        number = _number(reading, high.end, column)
        return None if number is None else Found(number.end, Condition(column=column.name, high=number.value))
    if other := _OTHER.at(reading, place):
        number = _number(reading, other.end, column)
        return None if number is None else Found(number.end, _refused(column))
    number = _number(reading, place, column)
    if number is None:
        return None
    if behind := _BEHIND.at(reading, number.end):
        return Found(behind.end, Condition(column=column.name, low=number.value))
    return Found(number.end, _refused(column))


def _from(reading: Reading, at: int, column: Column) -> Found[Condition | Trouble] | None:
    low = _number(reading, at, column)
    if low is None:
        return None
    place = reading.skip(low.end, _JOINTS)
    below = _HIGH.at(reading, place)
    high = _number(reading, below.end, column) if below is not None else None
    if high is None or _is_of_metric(reading, high.end):
        if reading.is_one_of(low.end, {"to"}) and number_at(reading, low.end + 1) is not None:
            return Found(low.end + 2, _refused(column))
        return Found(low.end, Condition(column=column.name, low=low.value))
    if low.value >= high.value:
        text = f"{column.name}: no number is at least {low.value:g} and below {high.value:g}"
        return Found(high.end, Trouble("cohort_bound", text))
    return Found(high.end, Condition(column=column.name, low=low.value, high=high.value))


def _number(reading: Reading, at: int, column: Column) -> Found[float] | None:
    """Read a number, which may be negative, with the column's unit or none."""
    is_money = column.unit in CURRENCIES.values()
    place = at + 1 if is_money and _is_unit(reading, at, column) else at
    number = number_at(reading, place)
    if number is None:
        return None
    end = number.end + 1 if _is_unit(reading, number.end, column) else number.end
    return Found(end, number.value.value)


def _is_unit(reading: Reading, at: int, column: Column) -> bool:
    token = reading.token(at)
    if token is None or column.unit is None or token.kind not in {"word", "sign"}:
        return False
    unit = column.unit.casefold()
    return token.text in {unit, f"{unit}s"} or CURRENCIES.get(token.text) == column.unit


def _is_of_metric(reading: Reading, at: int) -> bool:
    """Whether a number has a unit that only a metric's has."""
    return reading.is_one_of(at, PER_CENT | POINTS | MILLISECONDS.keys() | {"percentage", "per"})


def _refused(column: Column) -> Trouble:
    name = column.name
    return Trouble(
        "cohort_bound",
        f"{name}: a cohort's range has its first number in it and its last not; say `{name} at least 18`, `{name} below 30` or "
        f"`{name} from 18 and below 30`",
    )
