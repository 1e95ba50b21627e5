"""Which numbers of a column belong to a cohort: `at least 65`, `from 18 and below 25`, `in [18, 25)`.

A cohort's range has its first number in it and not its last, as slices have. What says otherwise (`over 60`, `up to 100`) is
refused with what to say: 60 itself would be on the wrong side.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from daemon.goals.numbers import number_at
from daemon.goals.parts import Trouble
from daemon.goals.reading import Found, Lexicon, Reading
from daemon.goals.said.ranges import BEFORE, BEHIND, DIMENSIONS, JOINTS
from daemon.goals.words import ARTICLES, COUNTED_IN, CURRENCIES, MILLISECONDS, MINUTES, PER_CENT, POINTS, SPANS
from streams.contracts.schema import Column
from streams.contracts.slices import Condition

_LINKS: Final = frozenset({"is", "are", "of", "being", ":"})
SIGNS: Final = frozenset({"<=", "≤", "<", ">", ">=", "≥"})
_FIRST: Final = {"<=": "low", "≤": "low", ">": "high"}
_SECOND: Final = {"<": "high", ">=": "low", "≥": "low"}


class Range(NamedTuple):
    """Numbers from `low` on and below `high`; why they make no condition, where they don't; whether a unit tells their column."""

    low: float | None = None
    high: float | None = None
    trouble: str = ""
    has_unit: bool = False


class Scale:
    """Reads ranges of one column.

    Args:
        column: a column of numbers.
    """

    def __init__(self, column: Column) -> None:
        self.column = column
        self.words = frozenset(column.name.casefold().split("_"))
        own = [dimension for dimension in DIMENSIONS if dimension.names & {column.name.casefold().rpartition("_")[2]}]
        units: dict[str, bool] = {}
        if column.unit is not None:
            unit = column.unit.casefold()
            is_sure = unit not in SPANS and unit not in MINUTES and unit not in MILLISECONDS
            alike = [word for family in COUNTED_IN if unit in family for word in family]
            money = [word for word, currency in CURRENCIES.items() if currency == column.unit]
            units = dict.fromkeys((unit, f"{unit}s", *alike, *money), is_sure)
        for dimension in own if column.unit is None else ():
            units |= dict.fromkeys(dimension.also, False) | dict.fromkeys(dimension.units, True)
        self.units = Lexicon(units)
        self.having = [dimension.having for dimension in own]
        self.is_money = column.unit in CURRENCIES.values()

    def condition_at(self, reading: Reading, at: int) -> Found[Condition | Trouble] | None:
        """Read what a number must be, behind its column."""
        found = self.range_at(reading, reading.skip(at, _LINKS | ARTICLES)) or self._interval_at(reading, at)
        return None if found is None else Found(found.end, self.condition(found.value))

    def condition(self, wanted: Range) -> Condition | Trouble:
        """Return a range as a condition of the column."""
        name = self.column.name
        if wanted.trouble:
            return Trouble("cohort_bound", wanted.trouble)
        if wanted.low is not None and wanted.high is not None and wanted.low >= wanted.high:
            return Trouble("cohort_bound", f"{name}: no number is at least {wanted.low:g} and below {wanted.high:g}")
        return Condition(column=name, low=wanted.low, high=wanted.high)

    def range_at(self, reading: Reading, at: int) -> Found[Range] | None:
        """Read a range, the column of which stands elsewhere."""
        before = BEFORE.at(reading, at)
        number = self.number_at(reading, before.end if before else at)
        if number is None:
            return None
        value, has_unit = number.value
        end = before.value if before else "other"
        if before is not None and before.value == "high":
            return Found(number.end, Range(high=value, has_unit=has_unit))
        behind = BEHIND.at(reading, number.end)
        if before is None and behind is not None and behind.value == "low" and not _is_of_metric(reading, number.end):
            end, number = "low", Found(behind.end, number.value)
        if reading.is_one_of(at, {"between"}):  # between 18 and under 30
            both = self._up_to(reading, Found(number.end, Range(low=value, has_unit=has_unit)))
            return both if both.value.high is not None else Found(both.end, Range(trouble=self.refused, has_unit=has_unit))
        if end == "other":
            return Found(number.end, Range(trouble=self.refused, has_unit=has_unit))
        end_of = behind.end if before is not None and behind is not None and behind.value == "low" else number.end
        return self._up_to(reading, Found(end_of, Range(low=value, has_unit=has_unit)))

    def _up_to(self, reading: Reading, low: Found[Range]) -> Found[Range]:
        """Read where a range ends that has begun, which it needn't."""
        joints = JOINTS.at(reading, low.end)
        is_up_to = reading.is_one_of(low.end, {"up"})  # from 12 up to but excluding 24
        below = BEFORE.at(reading, joints.end if joints else low.end) if joints or is_up_to else None
        if below is not None and below.value == "high":
            high = self.number_at(reading, below.end)
            if high is not None and not _is_of_metric(reading, high.end):
                has_unit = low.value.has_unit or high.value[1]
                return Found(high.end, low.value._replace(high=high.value[0], has_unit=has_unit))
        if reading.is_one_of(low.end, {"to"}) and (number := number_at(reading, low.end + 1)) is not None:
            return Found(number.end, Range(trouble=self.refused))
        return low

    def _interval_at(self, reading: Reading, at: int) -> Found[Range] | None:
        """Read `in [18, 25)`."""
        place = reading.skip(at, {"in", "∈", "is"})
        low = number_at(reading, place + 1) if reading.is_one_of(place, {"[", "("}) else None
        high = number_at(reading, low.end + 1) if low is not None and reading.is_one_of(low.end, {",", ";"}) else None
        if low is None or high is None or not reading.is_one_of(high.end, {")", "]"}):
            return None
        if not reading.is_one_of(place, {"["}) or not reading.is_one_of(high.end, {")"}):
            return Found(high.end + 1, Range(trouble=self.refused))
        return Found(high.end + 1, Range(low=low.value.value, high=high.value.value))

    def chained(self, reading: Reading, first: Found[float], column_end: int) -> Found[Range]:
        """Read `18 <= age < 25`, of which the first number and the column are found."""
        ends = {_FIRST.get(reading.tokens[first.end].text, "other"): first.value}
        sign = reading.token(column_end)
        second = self.number_at(reading, column_end + 1) if sign is not None and sign.text in SIGNS else None
        if sign is None or second is None:
            return Found(column_end, self._chain(ends))
        end = _SECOND.get(sign.text, "other")
        return Found(second.end, self._chain({**ends, end if end not in ends else "other": second.value[0]}))

    def _chain(self, ends: dict[str, float]) -> Range:
        return Range(trouble=self.refused) if "other" in ends else Range(low=ends.get("low"), high=ends.get("high"))

    def number_at(self, reading: Reading, at: int) -> Found[tuple[float, bool]] | None:
        """Read a number, which may be negative, with the column's unit or none."""
        ahead = self.units.at(reading, at) if self.is_money else None
        number = number_at(reading, ahead.end if ahead else at)
        if number is None:
            return None
        unit = self.units.at(reading, number.end) or ahead
        return Found(max(number.end, unit.end if unit else 0), (number.value.value, unit is not None and unit.value))

    @property
    def refused(self) -> str:
        """What to say instead of a range whose first number isn't in it, or whose last one is."""
        name = self.column.name
        return (
            f"{name}: a cohort's range has its first number in it and its last not; say `{name} at least 18`, "
            f"`{name} below 30` or `{name} from 18 and below 30`"
        )


def _is_of_metric(reading: Reading, at: int) -> bool:
    """Whether a number has a unit that only a metric's has."""
    return reading.is_one_of(at, PER_CENT | POINTS | MILLISECONDS.keys() | {"percentage", "per"})
