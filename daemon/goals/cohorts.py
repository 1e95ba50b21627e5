"""Which requests a goal is for: `for new customers in FR`, `where age is from 18 and below 25`.

A cohort is made of items: names of slices and cohorts, values, and columns with what they must be. Items side by side all hold
(`European customers with tenure below 6`); values of one column in a list are any of them (`FR, DE and IT`). Where a list joins
different columns, nobody can say whether both or either is meant, and it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from daemon.goals.items import Item, Known
from daemon.goals.merging import all_of, any_of
from daemon.goals.parts import CohortPart, Part, Trouble
from daemon.goals.reading import Found, Reading
from daemon.goals.words import GROUPS, NOUNS
from streams.contracts.slices import Condition

_PREPOSITIONS: Final = frozenset({
    "for", "among", "amongst", "in", "on", "with", "where", "when", "whose", "of", "from", "at", "across", "having", "who",
    "which", "that", "are", "have", ":",
})  # fmt: skip
_BEGINS: Final = frozenset(
    {"for", "among", "amongst", "in", "on", "with", "where", "when", "from", "at", "across", "of", "having"}
)
_DETERMINERS: Final = frozenset({"the", "our", "my", "a", "an", "any", "all", "every", "each", "only", "whole", "entire"})
_EVERYONE: Final = frozenset({"all", "whole", "entire"})
_EACH: Final = frozenset({"any", "each", "every"})
_LISTING: Final = frozenset({",", "and", "or", "&", "/", "plus"})


class _Told(NamedTuple):
    """An item and the words of lists before it."""

    item: Item
    joints: frozenset[str]


class _Scan:
    """What was read of a cohort so far; `end` is behind the last word that is surely part of it."""

    def __init__(self, at: int) -> None:
        self.told: list[_Told] = []
        self.end = at
        self.is_open = self.is_apart = False
        self._is_everyone = self._is_each = self._was_each = False
        self._joints: frozenset[str] = frozenset()

    def take(self, item: Found[Item]) -> int:
        """Add an item, and return the place behind it."""
        self.told.append(_Told(item.value, self._joints))
        self.is_apart = self.is_apart or (self._is_each and not item.value.is_name and _names_several(item.value))
        self._joints, self._is_each = frozenset(), False
        self.is_open = self.is_open or item.value.needs_noun
        self.end = item.end
        return item.end

    def go_on(self, reading: Reading, place: int, *, is_first: bool) -> int | None:
        """Pass over a word between items, None where it belongs to no cohort."""
        word = reading.tokens[place].text
        if reading.is_one_of(place, NOUNS | GROUPS):
            self._is_each = False
            is_everyone = word not in GROUPS and (self._is_everyone or word.startswith("every"))
            self.is_open = False
            self.is_apart = self.is_apart or (self._was_each and word in GROUPS)
            self.end = place + 1 if self.told or is_everyone else self.end
        elif reading.is_one_of(place, _DETERMINERS):
            self._is_everyone = word in _EVERYONE
            self._is_each = self._is_each or word in _EACH
            self._was_each = self._was_each or self._is_each
            self.end = place + 1 if word == "only" and self.told and self.end == place else self.end
        elif not is_first and not self._is_each and reading.is_one_of(place, _PREPOSITIONS | _LISTING):
            self._joints |= {word} & _LISTING
        else:
            return None
        return place + 1


class Cohorts:
    """Reads cohorts by what is declared of one model."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def read(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read which requests a goal is for."""
        scan = _Scan(at)
        place: int | None = reading.skip(at, _BEGINS)
        while place is not None and reading.token(place) is not None:
            item = self._known.item_at(reading, place)
            if item is not None and isinstance(item.value, Trouble):
                return Found(item.end, item.value)
            if item is not None and isinstance(item.value, Item):
                place = scan.take(Found(item.end, item.value))
            else:
                place = scan.go_on(reading, place, is_first=place == at)
        if scan.is_apart:
            return Found(scan.end, Trouble("ambiguous_cohort", "each of them by itself, or all together? Ask once for each"))
        return None if scan.end == at or scan.is_open else Found(scan.end, _part(scan.told))


def joined(first: tuple[Condition, ...], second: tuple[Condition, ...]) -> tuple[Condition, ...] | None:
    """Return the conditions of requests for which both hold, None where none could be."""
    return all_of((*first, *second))


def _part(told: list[_Told]) -> Part:
    conditions: tuple[Condition, ...] = ()
    for group in _groups(told):
        either = any_of([one.item.conditions for one in group])
        if either is None:
            words = " and ".join(one.item.said for one in group)
            text = f"{words}: is it those that are both, or those that are either? Declare a slice for it, or ask once for each"
            return Trouble("ambiguous_cohort", text)
        both = joined(conditions, either)
        if both is None:
            return Trouble("ambiguous_cohort", f"no request can be {' and '.join(one.item.said for one in told)}")
        conditions = both
    return CohortPart(conditions)


def _names_several(item: Item) -> bool:
    return any(len(condition.values) > 1 for condition in item.conditions)


def _groups(told: list[_Told]) -> Iterator[list[_Told]]:
    """Part items into those that are listed with each other; a column's own condition behind `and` is one more that holds."""
    group: list[_Told] = []
    for one in told:
        holds_too = one.item.is_condition and "or" not in one.joints
        if group and (not one.joints or holds_too):
            yield group
            group = []
        group.append(one)
    if group:
        yield group
