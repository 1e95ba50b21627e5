"""Making means of skewed rows as surprising as they are: chance alone makes a skewed loss high more often than a normal one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Beyond an exponential variable's it would stretch too far.
_MOST = 2.0
_NONE = 1e-6


def unskewed(deviates: Floats, skewness: Floats) -> Floats:
    """Return normal deviates that are as improbable as skewed ones [m].

    A sum of rows is near a shifted gamma variable long before it is near a normal one, and a gamma variable's cube root is nearly
    normal. Source: Wilson, E. B. and Hilferty, M. M. (1931), "The distribution of chi-square", Proceedings of the National
    Academy of Sciences 17, 684-688.

    Args:
        deviates: with mean 0 and deviation 1 [m].
        skewness: of each [m]; of more than 2 either way only so much is taken out.
    """
    bounded = np.clip(skewness, -_MOST, _MOST)
    is_skewed = np.abs(bounded) > _NONE
    by = np.where(is_skewed, bounded, 1.0)
    found: Floats = 6 / by * (np.cbrt(np.maximum(1 + by * deviates / 2, 0.0)) - 1) + by / 6
    return np.where(is_skewed, found, deviates)
