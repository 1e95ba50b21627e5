"""The missed amount against drawing the ties, and the cost curve by hand."""

import itertools

import numpy as np
import pytest

from skills._kit.frames import Floats
from tests.bench.closed_loop.metrics.cost import RATIOS, Bill, Prices, cost_curve, missed_amount
from tests.bench.closed_loop.metrics.scored import DAY_MS

NAN = float("nan")


def missed(label: list[float], score: list[float], amount: list[float], a_day: int, day: list[int] | None = None) -> float | None:
    times = np.array(day or [0] * len(label), dtype=np.int64) * DAY_MS
    return missed_amount(times, np.array(label), np.array(score), np.array(amount), a_day=a_day)


def over_all_orders(label: Floats, score: Floats, amount: Floats, places: int) -> float:
    """The mean over every way to break ties: all orders of the rows, sorted by score in a stable way."""
    rows = range(len(label))
    totals = []
    for order in itertools.permutations(rows):
        seen = set(sorted(order, key=lambda row: -score[row])[:places])
        totals.append(sum(amount[row] for row in rows if label[row] == 1 and row not in seen))
    return float(np.mean(totals))


def test_frauds_below_the_days_places_are_missed():
    assert missed([1, 1, 0], [0.9, 0.1, 0.5], [10, 20, 40], a_day=2) == 20
    assert missed([1, 1, 0], [0.9, 0.1, 0.5], [10, 20, 40], a_day=3) == 0
    assert missed([1, 1, 0], [0.9, 0.1, 0.5], [10, 20, 40], a_day=0) == 30


@pytest.mark.parametrize("seed", range(10))
def test_ties_share_the_places(seed: int):
    rng = np.random.default_rng(seed)
    label, score = rng.integers(0, 2, 6).astype(float), rng.integers(0, 3, 6) / 4
    amount = rng.uniform(1, 9, 6)
    for places in range(8):
        expected = over_all_orders(label, score, amount, places)
        assert missed_amount(np.zeros(6, dtype=np.int64), label, score, amount, a_day=places) == pytest.approx(expected)


def test_every_day_has_its_own_places_and_rows_need_no_order():
    assert missed([1, 1, 0], [0.9, 0.1, 0.5], [10, 20, 40], a_day=1, day=[1, 0, 1]) == 0
    assert missed([1, 1, 1], [0.9, 0.1, 0.5], [10, 20, 40], a_day=1, day=[1, 0, 1]) == 40


def test_what_has_no_score_is_never_looked_at():
    assert missed([1, 1], [NAN, 0.1], [10, 20], a_day=5) == 10


def test_rows_without_truth_take_places_and_miss_nothing():
    assert missed([NAN, 1], [0.9, 0.1], [10, 20], a_day=1) == 20
    assert missed([NAN, NAN], [0.9, 0.1], [10, 20], a_day=1) is None
    assert missed([1, 1], [0.9, 0.1], [10, NAN], a_day=0) == 10
    assert missed([0, 0], [0.9, 0.1], [10, 20], a_day=1) == 0


def test_the_curve_by_hand():
    bill = Bill(retrains=2, missed_amount=500.0, alerts=3, tokens=500_000)
    found = cost_curve(bill, (0.0, 10.0), Prices(alert=0.5, million_tokens=4.0))
    assert found.ratio == (0.0, 10.0)
    assert found.cost == pytest.approx((500, 500 + 10 * (2 + 1.5 + 2)))


def test_the_curve_spans_five_decades():
    curve = cost_curve(Bill(1, 0.0, 1, 1_000_000))
    assert curve.ratio == RATIOS
    assert (RATIOS[0], RATIOS[-1]) == pytest.approx((0.1, 10_000))
    assert curve.cost == pytest.approx([3 * ratio for ratio in RATIOS])
