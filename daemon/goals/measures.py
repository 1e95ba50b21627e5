"""A number of a metric with its unit: `95 %`, `two points`, `0.2 s`, `9 out of 10`, `half a second`."""

from __future__ import annotations

from typing import Final

from daemon.goals.numbers import AND_A_HALF, count_at, number_at, per_cent_at
from daemon.goals.parts import Quantity, Unit
from daemon.goals.quantities import hundredths
from daemon.goals.reading import Found, Lexicon, Reading, listed, meaning
from daemon.goals.words import MILLISECONDS

_UNITS: Final = Lexicon[Unit]({
    **meaning("%", "(%|percent|percents|pct|per cent)"),
    **meaning("points", "(point|points|pp|pps|ppt|ppts|pt|pts)", "(%|percent|percentage|per cent) (point|points|pts)"),
})  # fmt: skip
_BASIS_POINTS: Final = listed("(bp|bps|basis point|basis points)")


def quantity_at(reading: Reading, at: int) -> Found[Quantity] | None:
    """Read a number that isn't negative, and its unit."""
    if share := per_cent_at(reading, at):
        return Found(share.end, Quantity(share.value, "%"))
    number, count = number_at(reading, at), count_at(reading, at)
    if count is not None and (number is None or count.end > number.end):
        return unit_at(reading, count.end, count.value)
    if number is not None:
        is_negative = number.value.value < 0 or number.value.raw.startswith("-")
        return None if is_negative else _with_unit(reading, number.end, number.value.value)
    unit = reading.skip(at + 1, {"single"})
    one = unit_at(reading, unit, 1.0) if reading.is_one_of(at, {"a", "an", "one"}) else None
    if one is None or one.value.unit == "%":
        return None
    more = AND_A_HALF.at(reading, one.end)  # a point and a half
    return Found(more.end, one.value._replace(value=one.value.value * 1.5)) if more else one


def _with_unit(reading: Reading, at: int, value: float) -> Found[Quantity]:
    return unit_at(reading, at, value) or Found(at, Quantity(value, ""))


def unit_at(reading: Reading, at: int, value: float) -> Found[Quantity] | None:
    """Read the unit of a number that stands before it."""
    if unit := _UNITS.at(reading, at):
        return Found(unit.end, Quantity(value, unit.value))
    if basis := _BASIS_POINTS.at(reading, at):
        return Found(basis.end, Quantity(hundredths(value), "points"))
    token = reading.token(at)
    if token is None or token.kind != "word":
        return None
    if token.text in MILLISECONDS:
        return Found(at + 1, Quantity(value * MILLISECONDS[token.text], "ms"))
    return Found(at + 1, Quantity(value, "own")) if token.text in reading.vocabulary.own_units else None
