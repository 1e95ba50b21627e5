"""Conditions of several phrases made one: all of them, or any of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streams.contracts.slices import Condition


def all_of(conditions: Iterable[Condition]) -> tuple[Condition, ...] | None:
    """Return what holds where all hold, one condition a column, in the order of columns; None where nothing could."""
    merged: dict[str, Condition] = {}
    for condition in conditions:
        before = merged.get(condition.column)
        both = condition if before is None else _both(before, condition)
        if both is None:
            return None
        merged[condition.column] = both
    return tuple(_sorted(merged[column]) for column in sorted(merged))


def any_of(choices: Sequence[tuple[Condition, ...]]) -> tuple[Condition, ...] | None:
    """Return what holds where any of some sets of conditions does; None where no set of conditions says that.

    It does for one choice, and for choices that each name values of the same column and nothing else.
    """
    if len(choices) == 1:
        return all_of(choices[0])
    columns = {condition.column for choice in choices for condition in choice}
    if len(columns) != 1 or any(len(choice) != 1 or not choice[0].values for choice in choices):
        return None
    values = tuple(sorted({value for choice in choices for value in choice[0].values}))
    return (Condition(column=columns.pop(), values=values),)


def _both(first: Condition, second: Condition) -> Condition | None:
    if first.values or second.values:
        values = tuple(sorted(set(first.values) & set(second.values)))
        return Condition(column=first.column, values=values) if values else None
    lows = [end for end in (first.low, second.low) if end is not None]
    highs = [end for end in (first.high, second.high) if end is not None]
    low, high = max(lows, default=None), min(highs, default=None)
    if low is not None and high is not None and low >= high:
        return None
    return Condition(column=first.column, low=low, high=high)


def _sorted(condition: Condition) -> Condition:
    return Condition(column=condition.column, values=tuple(sorted(set(condition.values))), low=condition.low, high=condition.high)
