"""How far apart two distributions are, as effect sizes: unlike p-values they don't hang on how many rows there were."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_LEAST_SHARE = 1e-4


def psi(recent: Floats, reference: Floats) -> float:
    """Return the population stability index of two vectors of shares [bins], in nats.

    It is the sum over bins of (recent share - reference share) * ln(recent share / reference share), shares kept above 1e-4; by
    custom 0.1 is a change and 0.25 a large one. Source: Jeffreys, H. (1946), "An invariant form for the prior probability in
    estimation problems", Proceedings of the Royal Society A 186, 453-461.
    """
    first, second = np.maximum(recent, _LEAST_SHARE), np.maximum(reference, _LEAST_SHARE)
    return float(((first - second) * np.log(first / second)).sum())


def jensen_shannon(recent: Floats, reference: Floats) -> float:
    """Return the Jensen-Shannon distance of two vectors of shares [bins]: 0 where they are equal, 1 where nothing is common.

    It is the root of the divergence in bits. Source: Endres, D. M. and Schindelin, J. E. (2003), "A new metric for probability
    distributions", IEEE Transactions on Information Theory 49, 1858-1860.
    """
    middle = (recent + reference) / 2
    divergence = (_divergence(recent, middle) + _divergence(reference, middle)) / 2
    return float(np.sqrt(np.clip(divergence, 0.0, 1.0)))


def wasserstein(recent: Floats, reference: Floats, ends: Sequence[float]) -> float:
    """Return the first Wasserstein distance: how far a row has to be moved on average to make one distribution the other.

    Within a bin rows are taken to lie evenly, so it is as precise as the bins. Source: Vallender, S. S. (1974), "Calculation of
    the Wasserstein distance between probability distributions on the line", Theory of Probability and its Applications 18,
    784-786.

    Args:
        recent: shares of bins in order [bins].
        reference: the same of the reference [bins].
        ends: of the bins [bins + 1], in the unit of what is measured; so is the distance.
    """
    gaps = np.r_[0.0, np.cumsum(recent - reference)]
    before, after, widths = gaps[:-1], gaps[1:], np.diff(np.asarray(ends, np.float64))
    both = np.abs(before) + np.abs(after)
    # Where the gap changes its sign within a bin, the area on both sides counts.
    crossing = (before**2 + after**2) / np.where(both > 0, both, 1.0)
    areas = np.where(before * after < 0, crossing, both) * widths / 2
    return float(areas.sum())


def _divergence(shares: Floats, middle: Floats) -> float:
    """Kullback-Leibler's, in bits; an empty bin adds nothing."""
    inside = shares > 0
    return float((shares[inside] * np.log2(shares[inside] / middle[inside])).sum())
