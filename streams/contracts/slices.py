"""Slices: the requests of a kind that somebody wants watched by themselves, such as new customers or card payments abroad."""

from __future__ import annotations

import re

import msgspec

from streams.contracts.errors import ContractError
from streams.contracts.schema import ModelSchema

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """What a column's value must be: one of `values` for a category, from `low` on and below `high` for a number."""

    column: str
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """The requests for which all conditions hold; a missing value holds none."""

    name: str
    conditions: tuple[Condition, ...]

    def check(self, schema: ModelSchema) -> None:
        """Refuse what can't be told from a model's requests.

        Raises:
            ContractError: no or a bad name, no condition, an undeclared or closed column, or a condition of the other kind.
        """
        what = f"slice {self.name!r}"
        if _NAME.fullmatch(self.name) is None:
            raise ContractError(f"{what}: use small letters, digits and underscores, at most 41, not starting with a digit")
        if not self.conditions:
            raise ContractError(f"{what}: it has no condition, so it is every request")
        schema.check_granted((condition.column for condition in self.conditions), what)
        for condition in self.conditions:
            _check(condition, schema, what)


def _check(condition: Condition, schema: ModelSchema, what: str) -> None:
    name, is_number = condition.column, schema.column(condition.column).kind == "number"
    is_range = condition.low is not None or condition.high is not None
    if is_number and (condition.values or not is_range):
        raise ContractError(f"{what}: {name} is a number: say `from`, `below` or both")
    if not is_number and (is_range or not condition.values):
        raise ContractError(f"{what}: {name} is a category: name its values in a list")
    if condition.low is not None and condition.high is not None and condition.low >= condition.high:
        raise ContractError(f"{what}: {name} can't be from {condition.low:g} on and below {condition.high:g}")
