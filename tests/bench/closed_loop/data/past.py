"""What was known before each row, as somebody upstream would compute it: for columns that a scenario's data set carries."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

_BITS = 42
"""Epoch milliseconds until the year 2109 fit beside 2 million keys in 63 bits."""


def known_mean(
    key: pd.Series[Any], time_ms: pd.Series[int], known_ms: pd.Series[float], value: pd.Series[float], range_ms: int
) -> npt.NDArray[np.float64]:
    """Return for each row the mean of `value` over rows of its key that became known in [time - range, time); 0 where none did.

    Rows that are never known, or have no value, are no facts.
    """
    code = pd.factorize(key)[0].astype(np.int64) << _BITS
    is_fact = (known_ms.notna() & value.notna()).to_numpy()
    facts = code[is_fact] + known_ms.to_numpy()[is_fact].astype(np.int64)
    order = np.argsort(facts, kind="stable")
    running = np.concatenate([[0.0], np.cumsum(value.to_numpy()[is_fact][order])])
    times = time_ms.to_numpy()
    low, high = (np.searchsorted(facts[order], code + np.maximum(edge, 0)) for edge in (times - range_ms, times))
    mean: npt.NDArray[np.float64] = (running[high] - running[low]) / np.maximum(high - low, 1)
    return mean
