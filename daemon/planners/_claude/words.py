"""What may be said to Claude: numbers, words of closed sets, and names that the config registers.

All else was written by strangers, in requests, in labels or in error texts, and could be read as an instruction. It is called
`cat_017` or `column_003` instead: the same thing has the same number within one situation, and the text itself is nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final

from streams.contracts.schema import Column, ModelSchema

OTHER: Final = "other"
MEASURES: Final = frozenset(
    {
        "accuracy", "all columns", "answers", "auc", "calibration", "errors", "label", "labels", "loss", "requests", "rows",
        "score",
    }
)  # fmt: skip
"""What monitors watch beside columns; a test holds them together."""

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_NUMBER: Final = r"(-?[0-9]{1,15}(?:\.[0-9]{1,15})?(?:e[+-]?[0-9]{1,3})?)"
_RANGE: Final = re.compile(rf"{_NUMBER}\.\.{_NUMBER}")
_DIGITS: Final = 6
_LARGEST: Final = 1e15


def word(value: object, known: Collection[str]) -> str:
    """Return a word of a closed set, `other` for what isn't in it."""
    return value if isinstance(value, str) and value in known else OTHER


def number(value: object) -> float | int | None:
    """Return a number with six digits that matter, None for what is none, isn't finite or is absurdly large."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # An integer from JSON may have a thousand digits: it is compared before anything is converted. NaN fails too.
    if not -_LARGEST <= value <= _LARGEST:
        return None
    return value if isinstance(value, int) else float(f"{value:.{_DIGITS}g}")


def numbers(values: object, known: Collection[str]) -> dict[str, float | int | None]:
    """Return those numbers of a mapping whose names are of a closed set."""
    if not isinstance(values, dict):
        return {}
    return {name: number(values[name]) for name in sorted(known) if name in values}


class Names:
    """The names of one situation.

    Args:
        schema: the registered columns. Tagged ones are called by a number too, whoever granted them.
    """

    def __init__(self, schema: ModelSchema) -> None:
        self._columns = {column.name: column for column in schema.columns if not column.tags}
        self._aliases: dict[tuple[str, str], str] = {}

    def column(self, name: object) -> str:
        """Return the name of a column, or of what is watched beside columns."""
        if isinstance(name, str) and (name in MEASURES or self._registered(name) is not None):
            return name
        return self._alias("column", name)

    def part(self, name: object) -> dict[str, Any]:
        """Return a slice, `column=value` or `column=low..high`, as its column and a numbered category or two numbers."""
        before, equals, after = name.partition("=") if isinstance(name, str) else ("", "", "")
        column = self._registered(before) if equals else None
        if column is None:
            return {"slice": self._alias("slice", name)}
        found = _RANGE.fullmatch(after) if column.kind == "number" else None
        if found is not None:
            return {"column": column.name, "from": number(float(found[1])), "to": number(float(found[2]))}
        return {"column": column.name, "category": self._alias("cat", f"{before}={after}")}

    def is_part(self, name: str) -> bool:
        """Whether a text names a slice of a registered column; what else strangers wrote is no slice, whatever is in it."""
        return "=" in name and self._registered(name.partition("=")[0]) is not None

    def _registered(self, name: str) -> Column | None:
        return self._columns.get(name) if _IDENTIFIER.fullmatch(name) is not None else None

    def _alias(self, what: str, text: object) -> str:
        place = (what, str(text))
        if place not in self._aliases:
            count = sum(kind == what for kind, _ in self._aliases)
            self._aliases[place] = f"{what}_{count + 1:03d}"
        return self._aliases[place]
