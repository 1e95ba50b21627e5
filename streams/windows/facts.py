"""What counts as a fact's time, key and value: the rules that online state, offline columns and SQL share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streams.contracts.errors import ContractError
from streams.contracts.features import LABEL, Window

TIME_BITS: Final = 42
END_MS: Final = (1 << TIME_BITS) - 1
"""Facts lie in [0, END_MS), which ends in the year 2109."""

LARGEST_VALUE: Final = 1e30
"""Larger magnitudes are missing: 2**27 facts of this size still add up exactly offline."""

RESERVED: Final = frozenset({"row", "time_ms", "known_ms", LABEL})
"""Columns of the tables that windows are computed from; a declared column of such a name can't be a key or a value."""

Columns = Mapping[str, Sequence[Any]]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def clip_offset(milliseconds: int) -> int:
    """Bound a delay or range, so that times minus offsets never leave 64 bits."""
    return min(milliseconds, 2 * END_MS)


def fact_times(time_ms: Sequence[int]) -> Integers:
    """Return the times as int64 of shape (rows,)."""
    return np.asarray(time_ms, dtype=np.int64)


def numbers(values: Sequence[Any]) -> Floats:
    """Return the values as float64 of shape (rows,), NaN where they are missing by the rules of this package."""
    array = np.array(values, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        array[~(np.abs(array) <= LARGEST_VALUE)] = np.nan
    return array


def is_missing(part: object) -> bool:
    """Say whether one column of a key is missing."""
    return part is None or (isinstance(part, float) and not math.isfinite(part))


def distinct_specs(specs: Sequence[Window]) -> tuple[Window, ...]:
    """Return the specs without repetitions, in order.

    Raises:
        ContractError: a spec names a column whose name is reserved.
    """
    for spec in specs:
        values = {spec.column} - {LABEL if spec.source == "outcomes" else None, None}
        if taken := RESERVED & {*spec.by, *values}:
            raise ContractError(f"window {spec.text}: the name {', '.join(sorted(taken))} is reserved; map the column to another")
    return tuple(dict.fromkeys(specs))
