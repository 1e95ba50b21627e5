"""How far event times lie behind the time of arrival, as mergeable counts on a few fixed bins, from the future to a week ago."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

_SECOND = 1_000
_MINUTE, _HOUR, _DAY = 60 * _SECOND, 3_600 * _SECOND, 86_400 * _SECOND
_EDGES: Final = np.array(
    [-_HOUR, -_MINUTE, -_SECOND, _SECOND, 10 * _SECOND, _MINUTE, 10 * _MINUTE, _HOUR, 6 * _HOUR, _DAY, 7 * _DAY], np.int64
)

BINS: Final = len(_EDGES) + 1
"""Bins: over an hour ahead, over a minute, over a second, within a second; then behind by a second or more, ten, a minute, ten,
an hour, six, a day, a week."""

AHEAD: Final = 2
"""So many of the first bins hold event times that lie more than a minute in the future."""

HOUR_BEHIND: Final = 8
"""From this bin on event times lie an hour or more behind."""


def count_arrivals(behind_ms: Integers) -> Integers:
    """Count times of arrival less event times [n] in milliseconds; returns [bins]."""
    return np.bincount(np.searchsorted(_EDGES, behind_ms, side="right"), minlength=BINS).astype(np.int64)
