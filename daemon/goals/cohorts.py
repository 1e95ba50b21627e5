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
from daemon.goals.reading import Found, Reading, remembered
from daemon.goals.said.cohorts import BEGINS, ENDS, EVERYONE, JOINTS, TOGETHER, Joint
from daemon.goals.words import ARTICLES, GROUPS, NOT_ROWS, NOUNS, VAGUE_NOUNS
from streams.contracts.slices import Condition

_MOST_BETWEEN: Final = 8
_LONGEST: Final = 60
_FIRST: Final = frozenset({"any", "all", "each", "only"})
_LISTS: Final = frozenset({"list", "or", "but"})
_TO_ALL: Final = frozenset({"for", "among", "amongst", "across", "of"})
_TELLS: Final = frozenset({"is", "are", "be", "was", "were", "stays", "gets"})
_SCOPES: Final = frozenset({"for", "among", "amongst"})
_JOINED: Final = frozenset({"and", "or", "&", "plus", "also"})


class _Told(NamedTuple):
    """An item and how it is joined to the one before: by a list, and then maybe by words that only narrow (`and with`)."""

    item: Item
    listed: frozenset[str]
    narrows: bool


class _Scan:
    """What was read of a cohort so far; `end` is behind the last word that is surely part of it."""

    def __init__(self, at: int) -> None:
        self.told: list[_Told] = []
        self.end = at
        self.is_open = self.is_apart = False
        self._is_everyone = self._is_each = self._was_each = False
        self._nouns: frozenset[str] = frozenset()
        self._forget()

    def _forget(self) -> None:
        self._listed: set[str] = set()
        self._narrows = self._insists = self._has_noun = False

    def take(self, item: Found[Item]) -> int:
        """Add an item, and return the place behind it."""
        narrows = self._insists or (self._narrows and not self._has_noun) or (item.value.is_condition and not self._has_noun)
        self.told.append(_Told(item.value, frozenset(self._listed), narrows and "or" not in self._listed))
        self.is_apart = self.is_apart or (self._is_each and not item.value.is_name and _names_several(item.value))
        self._is_each = False
        self._forget()
        self._nouns = item.value.nouns or self._nouns
        self.is_open = bool(self._nouns)
        self.end = item.end
        return item.end

    def pass_noun(self, reading: Reading, place: int) -> int:
        """Pass over what requests or cohorts are called."""
        word = reading.tokens[place].text
        self._is_each = False
        self._has_noun = self._has_noun or bool(self._listed)
        is_everyone = word not in GROUPS and (self._is_everyone or word.startswith("every"))
        is_vague = word in VAGUE_NOUNS and bool(self.told) and _is_range(self.told[-1].item)
        self._nouns = self._nouns if is_vague or word not in self._nouns else frozenset()
        self.is_open = is_vague or bool(self._nouns)
        self.is_apart = self.is_apart or (self._was_each and word in GROUPS)
        is_sure = not self._listed if self.told else is_everyone
        self.end = place + 1 if is_sure else self.end
        return place + 1

    def pass_joint(self, reading: Reading, place: int, joint: Found[Joint], *, is_first: bool) -> int | None:
        """Pass over a word between items, None where it belongs to no cohort."""
        role = joint.value
        self._is_everyone = role == "all"
        if role == "each":
            self._is_each = self._was_each = True
        elif role == "only":
            self._insists = self._insists or bool(self._listed)
            self.end = joint.end if self.told and self.end == place else self.end
        elif role not in _FIRST and (is_first or self._is_each or (role in _LISTS and not self._may_list(reading, place))):
            return None
        else:
            self._join(reading.tokens[place].text, role)
        return joint.end

    def _may_list(self, reading: Reading, place: int) -> bool:
        """Whether there is something that a list goes on from."""
        return bool(self.told) or reading.is_one_of(place, {","})

    def _join(self, word: str, role: Joint) -> None:
        if role in {"list", "or", "but"}:
            self._listed.add("or" if role == "or" else word)
            self._insists = self._insists or role == "but"
        elif role == "narrow" or (role == "begin" and word not in _TO_ALL and self._listed <= {","}):
            self._narrows = True


class Cohorts:
    """Reads the cohorts of one sentence by what is declared of one model."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._item_at = remembered(known.item_at)

    def read(self, reading: Reading, at: int) -> Found[Part] | None:
        """Read which requests a goal is for."""
        scan = _Scan(at)
        place: int | None = BEGINS.past(reading, at)
        while place is not None and reading.token(place) is not None and place < min(scan.end + _MOST_BETWEEN, at + _LONGEST):
            item = self._item_at(reading, place)
            if item is not None and isinstance(item.value, Trouble):
                return Found(item.end, item.value)
            if item is not None and isinstance(item.value, Item):
                place = scan.take(Found(item.end, item.value))
            else:
                place = self._pass_over(reading, place, scan, is_first=place == at)
        everyone = EVERYONE.at(reading, at)
        if everyone is not None and everyone.end >= scan.end:
            return Found(everyone.end, CohortPart(()))
        if scan.is_apart:
            return Found(scan.end, Trouble("ambiguous_cohort", "each of them by itself, or all together? Ask once for each"))
        if scan.end == at or scan.is_open or _is_of_else(reading, at, scan):
            return None
        part = _part(scan.told)
        if isinstance(part, CohortPart):
            part = part._replace(is_added=reading.is_one_of(at - 1, _JOINED), is_scope=reading.is_one_of(at, _SCOPES))
        return Found(_past_end(reading, at, scan.end), part)

    def item_at(self, reading: Reading, at: int) -> Item | None:
        """Return the item that stands at a place, behind words that lead to it."""
        item = self._item_at(reading, reading.skip(BEGINS.past(reading, at), ARTICLES))
        return item.value if item is not None and isinstance(item.value, Item) else None

    def _pass_over(self, reading: Reading, place: int, scan: _Scan, *, is_first: bool) -> int | None:
        if reading.is_one_of(place, NOUNS | GROUPS):
            return scan.pass_noun(reading, place)
        repeated = self._known.is_column_of(reading, place, scan.told[-1].item) if scan.told and scan.end == place else None
        if repeated is not None:
            scan.end = repeated
            return repeated
        joint = JOINTS.at(reading, place)
        return None if joint is None else scan.pass_joint(reading, place, joint, is_first=is_first)


def joined(first: tuple[Condition, ...], second: tuple[Condition, ...]) -> tuple[Condition, ...] | None:
    """Return the conditions of requests for which both hold, None where none could be."""
    return all_of((*first, *second))


def _is_of_else(reading: Reading, at: int, scan: _Scan) -> bool:
    """Whether a bare value or name says something of another thing: `our basic requirement`, `while the model is young`."""
    is_bare = bool(scan.told) and reading.is_one_of(scan.end - 1, {scan.told[-1].item.said.rpartition(" ")[2].casefold()})
    is_told = len(scan.told) == 1 and scan.told[0].item.is_name and reading.is_one_of(at - 1, _TELLS)
    return is_bare and (is_told or reading.is_one_of(scan.end, NOT_ROWS))


def _is_range(item: Item) -> bool:
    return item.is_name and any(not condition.values for condition in item.conditions)


def _past_end(reading: Reading, at: int, end: int) -> int:
    """Return the place behind what ends a phrase that `as far as` began, or says that several count as one."""
    ends = ENDS.at(reading, end) if reading.is_one_of(at, {"as"}) else TOGETHER.at(reading, end)
    return ends.end if ends else end


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
    """Part items into those that are listed with each other; what only narrows is one more that holds."""
    group: list[_Told] = []
    for one in told:
        holds_too = one.narrows and (one.item.is_condition or _columns(one) != _columns(group[-1])) if group else False
        if group and (holds_too or not one.listed):
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _columns(one: _Told) -> set[str]:
    return {condition.column for condition in one.item.conditions}
