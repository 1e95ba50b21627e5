"""Valid but suspect: rows that are scored and flagged, but held out of windows, references and training.

A flag says that the *record* is probably broken, not that the world has changed: the bounds are far outside of the
champion's reference, so that drift doesn't set them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from streams.contracts.bundle import Profile
from streams.contracts.schema import ModelSchema

FAR_OUTSIDE = "far_outside"
ALL_MISSING = "all_missing"

Column = Sequence[float | str | None] | NDArray[np.float64]


class Suspicion:
    """The bounds of one champion's reference.

    Args:
        schema: the model's columns.
        profile: the champion's reference distributions.
        factor: how many spans (high minus low, at least the larger magnitude) a number may lie outside.
    """

    def __init__(self, schema: ModelSchema, profile: Profile, factor: float) -> None:
        self._features = tuple(column.name for column in schema.features)
        self._bounded = tuple(name for name in schema.numbers if name in profile.numbers)
        known = [profile.numbers[name] for name in self._bounded]
        low = np.array([[one.low] for one in known], np.float64)
        high = np.array([[one.high] for one in known], np.float64)
        reach = factor * np.maximum(high - low, np.maximum(np.abs(low), np.abs(high)))
        self._low, self._high = low - reach, high + reach

    def flags(self, columns: Mapping[str, Column], rows: int) -> dict[int, list[str]]:
        """Return the flags of the rows that have any, by row number. Columns are lists, or float64 arrays with NaN."""
        marks = {FAR_OUTSIDE: self._far_outside(columns, rows), ALL_MISSING: self._all_missing(columns, rows)}
        flags: dict[int, list[str]] = {}
        for flag, where in marks.items():
            for row in np.flatnonzero(where).tolist():
                flags.setdefault(row, []).append(flag)
        return flags

    def _far_outside(self, columns: Mapping[str, Column], rows: int) -> NDArray[np.bool_]:
        if not self._bounded:
            return np.zeros(rows, np.bool_)
        values = np.array([columns[name] for name in self._bounded], np.float64)
        # A comparison with NaN is false: a missing value is never far outside.
        far: NDArray[np.bool_] = ((values < self._low) | (values > self._high)).any(axis=0)
        return far

    def _all_missing(self, columns: Mapping[str, Column], rows: int) -> NDArray[np.bool_]:
        missing = np.ones(rows, np.bool_)
        for name in self._features:
            if not missing.any():
                break
            values = columns[name]
            missing &= np.isnan(values) if isinstance(values, np.ndarray) else np.array([v is None for v in values], np.bool_)
        return missing
