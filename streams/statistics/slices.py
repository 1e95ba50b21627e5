"""Which rows belong to a slice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.contracts.slices import Condition, Slice

Values = Callable[[str], Sequence[Any]]


def rows_of(one: Slice, values: Values) -> npt.NDArray[np.bool_]:
    """Say which rows belong to a slice [n].

    Args:
        one: the slice.
        values: gives a column's values [n], None or NaN where one is missing.
    """
    inside = [_holds(condition, values(condition.column)) for condition in one.conditions]
    return np.logical_and.reduce(inside)


def _holds(condition: Condition, values: Sequence[Any]) -> npt.NDArray[np.bool_]:
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
