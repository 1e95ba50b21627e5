"""Event times against times of arrival: what lies in which bin."""

from __future__ import annotations

import numpy as np
import pytest

from streams.statistics.arrivals import AHEAD, BINS, HOUR_BEHIND, count_arrivals

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("behind_ms", "place"),
    [
        (-HOUR - 1, 0), (-HOUR, 1), (-MINUTE - 1, 1), (-MINUTE, 2), (-SECOND, 3), (0, 3), (SECOND - 1, 3), (SECOND, 4),
        (10 * SECOND, 5), (MINUTE, 6), (10 * MINUTE, 7), (HOUR - 1, 7), (HOUR, 8), (6 * HOUR, 9), (DAY, 10), (7 * DAY, 11),
        (10**15, 11),
    ],
)  # fmt: skip
def test_a_delay_lies_in_its_bin(behind_ms: int, place: int) -> None:
    counts = count_arrivals(np.array([behind_ms, behind_ms]))
    assert counts.tolist() == [2 * (number == place) for number in range(BINS)]
    assert (place < AHEAD) == (behind_ms < -MINUTE)
    assert (place >= HOUR_BEHIND) == (behind_ms >= HOUR)


def test_nothing_is_counted_of_nothing() -> None:
    assert count_arrivals(np.empty(0, np.int64)).tolist() == [0] * BINS
