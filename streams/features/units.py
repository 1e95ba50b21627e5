"""Units of columns and what becomes of them in a formula, so that euros are never added to kilometres.

A unit is written as names with `*`, `/` and whole powers: `EUR`, `km/h`, `m^2`. A column without one fits everything, and so does
a number where it is added or compared; where it multiplies, it is plain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from streams.contracts.errors import ContractError
from streams.contracts.features import LABEL, Window
from streams.contracts.schema import Column, ModelSchema
from streams.features.tree import ALIKE, Call, Name, Number, Tree, is_truth

Unit = Mapping[str, Fraction]
"""Powers by name; empty for a plain number."""

PLAIN: Unit = {}

_PART = re.compile(r"([*/]?)\s*([A-Za-z%°µ_]+)(?:\^(-?[1-9]))?\s*")
_SAME = {"neg", "abs"}
_SECONDS, _HOURS = "s", "h"


def read_unit(text: str) -> Unit:
    """Read a unit.

    Raises:
        ContractError: it isn't one.
    """
    powers: dict[str, Fraction] = {}
    at = 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None or bool(part[1]) != bool(at):
            raise ContractError(f"unit {text!r}: write names with *, / and whole powers, for instance EUR, km/h or m^2")
        power = int(part[3] or 1) * (-1 if part[1] == "/" else 1)
        powers[part[2]] = powers.get(part[2], Fraction(0)) + power
        at = part.end()
    if not powers:
        raise ContractError("unit: it is empty; leave it out where there is none")
    return {name: power for name, power in powers.items() if power}


def unit_text(unit: Unit) -> str:
    """Write a unit as people do."""
    above = [_powered(name, power) for name, power in unit.items() if power > 0]
    below = [_powered(name, -power) for name, power in unit.items() if power < 0]
    return "*".join(above or ["1"]) + "".join(f"/{name}" for name in below)


def units_of(schema: ModelSchema, windows: Sequence[Window] = ()) -> dict[str, Unit]:
    """Return the units of columns and windows that have one.

    Raises:
        ContractError: a declared unit isn't one.
    """
    of_facts = {source: units_of_columns(schema.columns_of(source)) for source in {window.source for window in windows}}
    of_windows = {window.name: unit for window in windows if (unit := _of_window(window, of_facts[window.source])) is not None}
    return units_of_columns(schema.columns) | of_windows


def units_of_columns(columns: Iterable[Column]) -> dict[str, Unit]:
    """Return the units of those columns that have one.

    Raises:
        ContractError: a declared unit isn't one.
    """
    return {column.name: read_unit(column.unit) for column in columns if column.unit is not None}


def unit_of(tree: Tree, units: Mapping[str, Unit]) -> Unit | None:
    """Return the unit of a formula whose parts fit; None where it fits everything."""
    if is_truth(tree):
        return PLAIN
    if not isinstance(tree, Call):
        return units.get(tree.name) if isinstance(tree, Name) else None
    if tree.function in {"*", "/"}:
        return _product(tree, units)
    found = [unit_of(argument, units) for argument in tree.arguments]
    if tree.function in ALIKE | _SAME:
        return next((unit for unit in found if unit is not None), None)
    if tree.function == "sqrt":
        return None if found[0] is None else {name: power / 2 for name, power in found[0].items()}
    return PLAIN  # logarithms and buckets


def _product(tree: Call, units: Mapping[str, Unit]) -> Unit | None:
    left, right = (PLAIN if isinstance(part, Number) else unit_of(part, units) for part in tree.arguments)
    if left is None or right is None:
        return None
    sign = 1 if tree.function == "*" else -1
    powers = {name: left.get(name, Fraction(0)) + sign * right.get(name, Fraction(0)) for name in {**left, **right}}
    return {name: power for name, power in powers.items() if power}


def _of_window(window: Window, declared: Mapping[str, Unit]) -> Unit | None:
    if window.aggregate in {"count", "distinct", "ratio"}:
        return PLAIN
    if window.aggregate == "since":
        return {_SECONDS: Fraction(1)}
    if window.column is None or (window.source == "outcomes" and window.column == LABEL) or window.column not in declared:
        return None
    unit = declared[window.column]
    if window.aggregate != "trend":
        return unit
    powers = {**unit, _HOURS: unit.get(_HOURS, Fraction(0)) - 1}
    return {name: power for name, power in powers.items() if power}


def _powered(name: str, power: Fraction) -> str:
    return name if power == 1 else f"{name}^{power}"
