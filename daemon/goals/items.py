"""One item of a cohort: the name of a slice, values, or a column with what it must be. Only what is declared is known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from daemon.goals.measured import Measured
from daemon.goals.parts import Trouble
from daemon.goals.reading import Found, Lexicon, Reading, words_of
from daemon.goals.said.countries import COUNTRIES
from daemon.goals.vocabulary import Vocabulary
from daemon.goals.words import GROUPS, NOUN_FAMILIES, NOUNS
from streams.contracts.schema import Column
from streams.contracts.slices import Condition

_IS: Final = frozenset({
    "is", "are", "=", "==", "in", "∈", "equals", "equal", "to", "of", ":", "(", "[", "{", "being", "the", "either", "one",
    "any", "among",
})  # fmt: skip
_LISTING: Final = frozenset({",", "and", "or", "&", "/", "plus", "+", "the"})
_AS_WELL: Final = ("as", "well", "as")
_CLOSING: Final = frozenset({")", "]", "}"})
_SHORT = 3
_COUNTRIES: Final = frozenset({"country", "countries", "nation", "nationality"})
_ALSO_ENGLISH: Final = frozenset({
    "us", "it", "in", "is", "no", "at", "be", "am", "me", "my", "so", "to", "do", "as", "by", "or", "an", "of", "on", "if",
    "up", "go", "we", "he", "and", "for", "the", "all", "any", "not", "can", "may", "a", "i",
})  # fmt: skip
"""Words that short values are taken for where a whole sentence is in capitals."""


class Item(NamedTuple):
    """What was recognised: its conditions, the words for it, and whether it is a column's condition or the name of a cohort.

    With `nouns` it is the beginning of a name that ends in a noun, `new` of `new customers`, one of which must follow.
    """

    conditions: tuple[Condition, ...]
    said: str
    is_condition: bool = False
    is_name: bool = False
    nouns: frozenset[str] = frozenset()


class _Listed(NamedTuple):
    """Values in a list, by the columns that could be meant."""

    by_column: dict[str, tuple[str, ...]]


class Known:
    """What is declared of one model, by the words for it.

    Args:
        vocabulary: columns, values, slices and cohorts.
        taken: phrases that mean something else, metrics for instance; a column of that name must be said in YAML.
    """

    def __init__(self, vocabulary: Vocabulary, taken: Lexicon[Any]) -> None:
        self._vocabulary = vocabulary
        columns = [one for one in vocabulary.schema.columns if not taken.knows(words_of(one.name))]
        self._columns: Lexicon[Column] = Lexicon({form: one for one in columns for form in (_plural(one.name), one.name)})
        names: dict[str, tuple[Condition, ...]] = {}
        for cohort in vocabulary.cohorts:
            names |= dict.fromkeys((cohort.name, f"{cohort.name}s"), cohort.conditions)
        self._names = Lexicon(names)
        self._openings = Lexicon({
            cohort.name.rpartition(noun)[0]: (cohort.conditions, _family(noun))
            for cohort in vocabulary.cohorts
            for noun in words_of(cohort.name)[-1:]
            if noun in NOUNS | GROUPS and len(words_of(cohort.name)) > 1
        })  # fmt: skip
        values: dict[tuple[str, ...], tuple[str, set[tuple[str, str]]]] = {}
        for column, value in vocabulary.known_values():
            values.setdefault(words_of(value), (value, set()))[1].add((column, value))
        self._values = Lexicon({phrase: frozenset(meant) for words, (phrase, meant) in values.items() if words})
        self._measured = Measured([one for one in columns if one.kind == "number" and not one.is_closed], self._columns, taken)

    def item_at(self, reading: Reading, at: int) -> Found[Item | Trouble] | None:
        """Return the longest item that begins at a place, or why it makes no condition."""
        readers = (self._column_at, self._name_at, self._values_at, self._measured_at)
        found = [one for one in (reader(reading, at) for reader in readers) if one is not None]
        if not found:
            return None
        end = max(one.end for one in found)
        longest = [one for one in found if one.end == end]
        first = longest[0]
        if any(_conditions(one.value) != _conditions(first.value) for one in longest[1:]):
            said = _said(reading, at, end)
            return Found(
                end, Trouble("ambiguous_cohort", f"{said!r} is several things: a value and a slice or cohort; say it in YAML")
            )
        return first

    def _name_at(self, reading: Reading, at: int) -> Found[Item | Trouble] | None:
        found = self._names.at(reading, at)
        if found is not None:
            return Found(found.end, Item(found.value, _said(reading, at, found.end), is_name=True))
        opening = self._openings.at(reading, at)
        if opening is None:
            return None
        conditions, nouns = opening.value
        return Found(opening.end, Item(conditions, _said(reading, at, opening.end), is_name=True, nouns=nouns))

    def _values_at(self, reading: Reading, at: int) -> Found[Item | Trouble] | None:
        """Read values whose column isn't said, or only behind them: `premium and enterprise`, `the basic plan`."""
        listed = self._list_at(reading, at, None)
        if listed is None:
            return None
        end, by_column = listed.end, listed.value.by_column
        behind = self._columns.at(reading, end)
        if behind is not None and behind.value.name in by_column:
            end, by_column = behind.end, {behind.value.name: by_column[behind.value.name]}
        if len(by_column) > 1:
            said = _said(reading, at, end)
            return Found(
                end, Trouble("ambiguous_cohort", f"{said!r} are values of {' and of '.join(sorted(by_column))}; say which")
            )
        column, values = next(iter(by_column.items()))
        return Found(end, Item((Condition(column=column, values=values),), _said(reading, at, end)))

    def _column_at(self, reading: Reading, at: int) -> Found[Item | Trouble] | None:
        found = self._columns.at(reading, at)
        if found is None:
            return None
        column = found.value
        if column.is_closed:
            text = f"{column.name} is tagged {' and '.join(column.tags)}, so no cohort can be told by it"
            return Found(found.end, Trouble("closed_column", text))
        if column.kind == "number":
            return _measured(reading, at, self._measured.behind(reading, found.end, column))
        return self._category_at(reading, at, found)

    def _measured_at(self, reading: Reading, at: int) -> Found[Item | Trouble] | None:
        return _measured(reading, at, self._measured.condition_at(reading, at))

    def is_column_of(self, reading: Reading, at: int, item: Item) -> int | None:
        """Return the place behind a column's name that only repeats what an item is told by: `rural depots`."""
        found = self._columns.at(reading, at)
        return found.end if found is not None and {one.column for one in item.conditions} == {found.value.name} else None

    def _category_at(self, reading: Reading, at: int, column: Found[Column]) -> Found[Item | Trouble] | None:
        listed = self._list_at(reading, reading.skip(column.end, _IS), column.value.name)
        if listed is None:
            return None
        values = listed.value.by_column[column.value.name]
        declared = self._vocabulary.values.get(column.value.name, ())
        if column.value.name in self._vocabulary.closed and not set(values) <= set(declared):
            text = f"{column.value.name} has the values {', '.join(declared)}, and no other"
            return Found(listed.end, Trouble("unknown_value", text))
        end = reading.skip(listed.end, _CLOSING)
        return Found(end, Item((Condition(column=column.value.name, values=values),), _said(reading, at, end), is_condition=True))

    def _list_at(self, reading: Reading, at: int, column: str | None) -> Found[_Listed] | None:
        """Read values of one column; of a column that isn't said, those of each that could be meant."""
        by_column: dict[str, tuple[str, ...]] = {}
        end, place = at, at
        while (found := self._value_at(reading, place, column)) is not None:
            if by_column and not by_column.keys() & found.value.keys():
                break
            shared = by_column.keys() & found.value.keys() if by_column else found.value.keys()
            by_column = {one: tuple(sorted({*by_column.get(one, ()), *found.value[one]})) for one in sorted(shared)}
            end = found.end
            is_long = tuple(token.text for token in reading.tokens[end : end + len(_AS_WELL)]) == _AS_WELL
            place = end + len(_AS_WELL) if is_long else reading.skip(end, _LISTING)
            if place == end:
                break
        return Found(end, _Listed(by_column)) if by_column else None

    def _value_at(self, reading: Reading, at: int, column: str | None) -> Found[dict[str, tuple[str, ...]]] | None:
        token = reading.token(at)
        if token is not None and token.kind == "quoted":
            return self._quoted(at, token.text, column)
        found = self._values.at(reading, at)
        if found is None:
            return self._country_at(reading, at, column)
        meant: dict[str, tuple[str, ...]] = {
            name: (value,) for name, value in sorted(found.value)
            if (name == column if column is not None else _stands_alone(value)) and _is_written_so(reading, at, value, column)
        }  # fmt: skip
        return Found(found.end, meant) if meant else None

    def _country_at(self, reading: Reading, at: int, column: str | None) -> Found[dict[str, tuple[str, ...]]] | None:
        """Read `Germany` or `German`, where a column of countries has the value DE."""
        country = COUNTRIES.at(reading, at)
        if country is None:
            return None
        columns = {name for name, value in self._vocabulary.known_values() if value == country.value and _is_of_countries(name)}
        named = columns if column is None else columns & {column}
        return Found(country.end, dict.fromkeys(sorted(named), (country.value,))) if named else None

    def _quoted(self, at: int, text: str, column: str | None) -> Found[dict[str, tuple[str, ...]]] | None:
        """Return a quoted value, whatever it is where its column is said, else only one that is declared."""
        if column is not None:
            return Found(at + 1, {column: (text,)})
        columns = {name for name, value in self._vocabulary.known_values() if value == text}
        return Found(at + 1, dict.fromkeys(sorted(columns), (text,))) if columns else None


def _measured(reading: Reading, at: int, found: Found[Condition | Trouble] | None) -> Found[Item | Trouble] | None:
    if found is None:
        return None
    if isinstance(found.value, Trouble):
        return Found(found.end, found.value)
    return Found(found.end, Item((found.value,), _said(reading, at, found.end), is_condition=True))


def _family(noun: str) -> frozenset[str]:
    """Return the words that mean the same as a noun: `new users` are `new customers`, and `new orders` aren't."""
    return next((family for family in NOUN_FAMILIES if noun in family), frozenset({noun}))


def _is_of_countries(column: str) -> bool:
    """Whether a column holds countries; of states, CA and DE are others."""
    return bool(_COUNTRIES & set(column.casefold().split("_")))


def _plural(name: str) -> str:
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"


def _stands_alone(value: str) -> bool:
    """Whether a value can be named without its column: one of digits alone would be taken for a number."""
    return any(one.isalpha() for one in value)


def _is_written_so(reading: Reading, at: int, value: str, column: str | None) -> bool:
    """Whether a short value is written as it is declared: `it` isn't IT, nor is `US` in a sentence that is all capitals."""
    token = reading.tokens[at]
    if len(value) > _SHORT:
        return True
    if token.raw != value or column is not None or token.text not in _ALSO_ENGLISH:
        return token.raw == value
    return any(one.islower() for piece in reading.tokens for one in piece.raw)


def _conditions(value: Item | Trouble) -> object:
    return value.conditions if isinstance(value, Item) else value


def _said(reading: Reading, at: int, end: int) -> str:
    return " ".join(_raws(reading, at, end))


def _raws(reading: Reading, at: int, end: int) -> Iterable[str]:
    return (token.raw for token in reading.tokens[at:end])
