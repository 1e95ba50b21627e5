"""Cohorts: of which requests the outcomes of a bucket are, in fewer and longer stretches the longer ago the requests came.

How long a cohort is follows from its age alone: so all partitions cut alike, their counts add up begin by begin, and a bucket has
few cohorts however long labels take. Lengths are doubled, so that a longer cohort holds shorter ones whole.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

FINE: Final = 1_024
"""Up to so many buckets back each is a cohort of its own: six weeks of hours, seventeen hours of minutes."""

_MOST_DOUBLINGS: Final = 16

MOST: Final = FINE + (FINE // 2 + 1) * _MOST_DOUBLINGS + 2
"""A bucket has at most so many cohorts: requests of after it, by clocks that differ, are one, and so is what is older still."""


def cohorts_of(asked_ms: Integers, start_ms: int | Integers, bucket_ms: int) -> Integers:
    """Return the begins of the cohorts to which requests belong.

    Args:
        asked_ms: event times of the requests [n].
        start_ms: begins of the buckets in which their labels became known, one for all or [n].
        bucket_ms: length of a bucket.
    """
    oldest_ms = start_ms - (FINE << _MOST_DOUBLINGS) * bucket_ms
    begins = np.clip(asked_ms // bucket_ms * bucket_ms, oldest_ms, start_ms + bucket_ms)
    lengths = length_ms(start_ms - begins, bucket_ms)
    return begins // lengths * lengths


def length_ms(age_ms: Integers, bucket_ms: int) -> Integers:
    """Return how long cohorts are that begin so long before the bucket in which their labels became known [n]."""
    doublings = np.frexp(age_ms / (bucket_ms * FINE))[1]
    return bucket_ms << np.clip(doublings, 0, _MOST_DOUBLINGS).astype(np.int64)


def awaited_ms(wait_ms: int, bucket_ms: int) -> int:
    """Return how long cohorts must be so that none is split among others before its labels have been waited for."""
    length = bucket_ms
    while (coarsest := int(length_ms(np.array([wait_ms + length - bucket_ms]), bucket_ms)[0])) > length:
        length = coarsest
    return length
