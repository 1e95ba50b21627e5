"""Promotions judged by matured labels."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from skills._kit.metrics import Estimate
from tests.bench.closed_loop.metrics.scored import Span
from tests.bench.closed_loop.metrics.swaps import (
    Compared,
    GateQuality,
    compared,
    gate_quality,
    harmful_swaps,
    needless_retrains,
    taken_back,
)

NAN = float("nan")


def rows(lift: float, count: int = 2_000, seed: int = 0):
    """Labels, a new and an old score; the new one knows `lift` more about the label."""
    rng = np.random.default_rng(seed)
    label = (rng.random(count) < 0.3).astype(float)
    noise = rng.normal(size=count)
    return label, 0.5 * label + lift * label + noise, 0.5 * label + noise


def gain(value: float, half: float = 0.001) -> Compared:
    return Compared(100, Estimate(value, value - half, value + half, value - 2 * half, value + 2 * half))


def test_a_clearly_worse_bundle_is_harmful():
    label, new, old = rows(lift=-0.5)
    found = compared("auc", label, new, old, seed=0)
    assert found.is_harmful
    assert found.rows == 2_000
    assert found.gain is not None
    assert found.gain.value == pytest.approx(roc_auc_score(label, new) - roc_auc_score(label, old))


@pytest.mark.parametrize("lift", [0.0, 0.5])
def test_equal_and_better_ones_are_not(lift: float):
    assert compared("auc", *rows(lift), seed=0).is_harmful is False


def test_the_interval_is_the_wide_one():
    # Beyond doubt at 95 %, not at 99.9 %.
    assert not Compared(100, Estimate(-0.1, -0.2, -0.01, -0.3, 0.01)).is_harmful
    assert not Compared(100, Estimate(-0.1, -0.2, -0.01, -0.3, 0.0)).is_harmful
    assert Compared(100, Estimate(-0.1, -0.2, -0.01, -0.3, -0.001)).is_harmful


def test_equal_bundles_are_rarely_called_harmful():
    calls = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        label = (rng.random(600) < 0.3).astype(float)
        new, old = (0.5 * label + rng.normal(size=600) for _ in range(2))
        calls += bool(compared("auc", label, new, old, seed=seed).is_harmful)
    assert calls <= 1


def test_only_rows_that_all_three_have_count():
    label, new, old = rows(lift=-0.5)
    expected = compared("auc", label[30:], new[30:], old[30:], seed=0)
    label[:10], new[10:20], old[20:30] = NAN, NAN, NAN
    assert compared("auc", label, new, old, seed=0) == expected


def test_few_rows_or_few_of_a_class_are_not_computable():
    label, new, old = np.r_[np.ones(10), np.zeros(10)], np.arange(20.0), np.arange(20.0)[::-1]
    assert compared("auc", label, new, old, seed=0).gain is not None
    assert compared("accuracy", label[1:], new[1:], old[1:], seed=0) == Compared(19, None)
    for rare in (np.r_[np.ones(9), np.zeros(11)], np.r_[np.ones(11), np.zeros(9)], np.ones(20)):
        assert compared("auc", rare, new, old, seed=0) == Compared(20, None)
        assert compared("average_precision", rare, new, old, seed=0) == Compared(20, None)
        assert compared("accuracy", rare, new, old, seed=0).gain is not None
    assert compared("kappa_temporal", np.ones(20), new, old, seed=0) == Compared(20, None)
    assert Compared(19, None).is_harmful is None


def test_harmful_swaps_are_counted_among_the_judged():
    unknown = Compared(3, None)
    assert harmful_swaps([gain(-0.1), gain(0.1), unknown, gain(-0.2)]) == 2
    assert harmful_swaps([unknown, gain(0.1)]) == 0
    assert harmful_swaps([unknown]) is None
    assert harmful_swaps([]) == 0


def test_needless_retrains_are_those_of_scenarios_without_need():
    assert [needless_retrains(name, 2) for name in ("C0", "C5", "C8", "C9", "C10", "C15")] == [2] * 6
    assert needless_retrains("C11a", 2) is None
    assert needless_retrains("C1", 1) is None
    assert needless_retrains("C0", 0) == 0


def test_gate_quality_by_hand():
    verdicts = [
        (True, gain(0.1)),
        (True, gain(0.02)),
        (True, gain(-0.02)),
        (True, gain(0.009)),
        (True, Compared(5, None)),
        (False, gain(-0.3)),
        (False, gain(0.3)),
        (False, gain(-0.009)),
    ]
    assert gate_quality(verdicts) == GateQuality(pytest.approx(2 / 3), 3, 0.5, 2)


def test_a_gate_without_verdicts_has_no_quality():
    assert gate_quality([]) == GateQuality(None, 0, None, 0)
    assert gate_quality([(True, gain(0.1))]) == GateQuality(1.0, 1, None, 0)


def test_a_bundle_is_taken_back_when_the_one_it_replaced_serves_again():
    champions = [(0, "a"), (0, "a"), (10, "b"), (10, "b"), (30, "c"), (40, "b")]
    assert taken_back(champions, "c") == Span(30, 40)
    assert taken_back(champions, "b") is None
    assert taken_back(champions, "a") is None
    assert taken_back(champions, "d") is None
    assert taken_back([*champions, (50, "a")], "b") == Span(10, 50)
