"""Range sums: right for every range, and blind to what lies outside of it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streams.windows.sums import RangeSums


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 64, 65, 1_000, 4_097])
def test_every_kind_of_range_sums_its_members(size: int):
    rng = np.random.default_rng(size)
    values = rng.normal(size=size)
    ends = np.sort(rng.integers(0, size + 1, (500, 2)), axis=1)
    ends = np.concatenate([ends, [[0, size], [0, 0], [size, size]]])
    found = RangeSums(values).between(ends[:, 0], ends[:, 1])
    for (start, stop), total in zip(ends, found, strict=True):
        assert math.isclose(total, math.fsum(values[start:stop]), rel_tol=1e-12, abs_tol=1e-12)


def test_a_huge_neighbour_leaves_no_trace():
    values = np.full(10_000, 0.1)
    values[5_000] = 1e30
    found = RangeSums(values).between(np.array([0, 5_001, 4_990]), np.array([5_000, 10_000, 5_000]))
    np.testing.assert_allclose(found, [500.0, 499.9, 1.0], rtol=1e-13)
