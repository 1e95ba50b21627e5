"""Conditions whose column is not said first: `aged 65 or more`, `under 5 kg`, `younger than 25`, `18 <= age < 25`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from daemon.goals.numbers import number_at
from daemon.goals.parts import Trouble
from daemon.goals.ranges import SIGNS, Range, Scale
from daemon.goals.reading import Found, Lexicon, Reading
from daemon.goals.said.ranges import AGES, BEFORE, DECADES, MORE
from daemon.goals.words import ARTICLES, PLAIN_NOUNS
from streams.contracts.schema import Column
from streams.contracts.slices import Condition

_OWN: Final = frozenset({"their", "his", "her", "the"})


class Measured:
    """Reads conditions of numbers by how they are measured, where only one column can be meant.

    Args:
        columns: the model's columns of numbers that cohorts can be told by.
        names: columns by the words for them.
        taken: phrases that mean something else, metrics for instance; a number right behind one is theirs.
    """

    def __init__(self, columns: Sequence[Column], names: Lexicon[Column], taken: Lexicon[Any]) -> None:
        self._taken = taken
        self._scales = {column.name: Scale(column) for column in columns}
        self._names = names

    def behind(self, reading: Reading, at: int, column: Column) -> Found[Condition | Trouble] | None:
        """Read what a number must be, behind its column."""
        return self._scales[column.name].condition_at(reading, at)

    def condition_at(self, reading: Reading, at: int) -> Found[Condition | Trouble] | None:
        """Read a condition that begins with something else than its column."""
        readers = (self._chained, self._having, self._decade, self._compared, self._of_column)
        return next((found for reader in readers if (found := reader(reading, at)) is not None), None)

    def _having(self, reading: Reading, at: int) -> Found[Condition | Trouble] | None:
        """Read `aged 65 or more`, `weighing at least 20 kg`."""
        found = [
            (having.end, scale) for scale in self._scales.values() for words in scale.having
            if (having := words.at(reading, at)) is not None
        ]  # fmt: skip
        return found[0][1].condition_at(reading, found[0][0]) if len(found) == 1 else None

    def _decade(self, reading: Reading, at: int) -> Found[Condition | Trouble] | None:
        """Read `in their forties`."""
        ages = [scale for scale in self._scales.values() if scale.words & AGES]
        tens = reading.token(at + 2) if reading.is_one_of(at, {"in"}) and reading.is_one_of(at + 1, _OWN) else None
        low = None if tens is None else DECADES.get(tens.text)
        return None if low is None or len(ages) != 1 else Found(at + 3, ages[0].condition(Range(low=low, high=low + 10)))

    def _compared(self, reading: Reading, at: int) -> Found[Condition | Trouble] | None:
        """Read a range that tells its column by its unit, or by a word like `younger`."""
        if any(self._taken.knows(tuple(token.text for token in reading.tokens[at - most : at])) for most in (1, 2, 3)):
            return None
        place = reading.skip(at, {"of"})
        sure: list[tuple[Scale, Found[Range]]] = []
        for scale in self._scales.values():
            found = scale.range_at(reading, place)
            if found is not None and (self._is_told(reading, place, found, scale) or self._is_by_unit(reading, at, found, scale)):
                sure.append((scale, found))
        if len(sure) != 1:
            return None
        scale, found = sure[0]
        return Found(found.end, scale.condition(found.value))

    def _is_told(self, reading: Reading, at: int, found: Found[Range], scale: Scale) -> bool:
        """Whether a word says what is compared, `younger` of an age, and only one column is called so."""
        words = {MORE.get(token.text) for token in reading.tokens[at : found.end]} - {None}
        return len(words) == 1 and self._is_only(words.pop() or "", scale)

    def _is_only(self, name: str, scale: Scale) -> bool:
        called = [one for one in self._scales.values() if name in one.words]
        return called == [scale]

    def _is_by_unit(self, reading: Reading, at: int, found: Found[Range], scale: Scale) -> bool:
        """Whether a unit says what is compared. Money may be what a goal costs, so its rows must be named."""
        if not found.value.has_unit:
            return False
        noun = reading.token(at - 1)
        is_named = noun is not None and noun.text in PLAIN_NOUNS and noun.text.removesuffix("s") in scale.words
        return is_named or not scale.is_money

    def _chained(self, reading: Reading, at: int) -> Found[Condition | Trouble] | None:
        """Read `18 <= age < 25`."""
        for scale in self._scales.values():
            number = scale.number_at(reading, at)
            if number is None or not reading.is_one_of(number.end, SIGNS):
                continue
            column = self._names.at(reading, number.end + 1)
            if column is not None and column.value.name == scale.column.name:
                found = scale.chained(reading, Found(number.end, number.value[0]), column.end)
                return Found(found.end, scale.condition(found.value))
        return None

    def _of_column(self, reading: Reading, at: int) -> Found[Condition | Trouble] | None:
        """Read `under the age of 30`."""
        before = BEFORE.at(reading, at)
        column = None if before is None else self._names.at(reading, reading.skip(before.end, ARTICLES))
        if before is None or column is None or column.value.name not in self._scales or not reading.is_one_of(column.end, {"of"}):
            return None
        number = number_at(reading, column.end + 1)
        if number is None:
            return None
        scale = self._scales[column.value.name]
        ends = {"low": Range(low=number.value.value), "high": Range(high=number.value.value)}
        return Found(number.end, scale.condition(ends.get(before.value, Range(trouble=scale.refused))))
