"""Which rows belong to a slice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.contracts.slices import Condition, Slice

Booleans = npt.NDArray[np.bool_]
Values = Callable[[str], Sequence[Any]]


class Slicer:
    """Says which rows belong to each of some slices. What several slices ask of a column is looked at once.

    Args:
        slices: at least one condition each.
    """

    def __init__(self, slices: Sequence[Slice]) -> None:
        self._conditions = list(dict.fromkeys(condition for one in slices for condition in one.conditions))
        place = {condition: number for number, condition in enumerate(self._conditions)}
        self._asked = [[place[condition] for condition in one.conditions] for one in slices]

    def rows(self, values: Values) -> Booleans:
        """Return which rows belong to each slice [slices, n].

        Args:
            values: gives a column's values [n], None or NaN where one is missing; asked once for each column.
        """
        columns = {name: values(name) for name in dict.fromkeys(condition.column for condition in self._conditions)}
        hold = np.array([_holds(condition, columns[condition.column]) for condition in self._conditions], np.bool_)
        return np.array([np.logical_and.reduce(hold[asked]) for asked in self._asked], np.bool_)


def rows_of(one: Slice, values: Values) -> Booleans:
    """Say which rows belong to a slice [n]; see `Slicer`."""
    found: Booleans = Slicer([one]).rows(values)[0]
    return found


def _holds(condition: Condition, values: Sequence[Any]) -> Booleans:
    if condition.values:
        wanted = frozenset(condition.values)
        return np.array([value in wanted for value in values], np.bool_)
    numbers = np.array(values, np.float64)
    inside = ~np.isnan(numbers)
    if condition.low is not None:
        inside &= numbers >= condition.low
    if condition.high is not None:
        inside &= numbers < condition.high
    return inside
