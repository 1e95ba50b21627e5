"""The measures against scikit-learn and by hand, the bootstrap against drawing the rows themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from skills._kit.frames import Floats
from skills._kit.metrics import block_draws, compared
from tests.bench.closed_loop.metrics.measures import (
    Metric,
    average_precision,
    difference,
    drawn,
    drawn_average_precisions,
    kappa_temporal,
    measure,
)

ALL: tuple[Metric, ...] = ("average_precision", "auc", "accuracy", "kappa_temporal", "negative_brier", "negative_rmse")


def scored(rows: int, seed: int, decimals: int = 2, share: float = 0.3):
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < share).astype(float)
    first = np.clip(0.3 + 0.2 * labels + 0.25 * rng.normal(size=rows), 0.0, 1.0).round(decimals)
    second = np.clip(first + 0.1 * labels + 0.1 * rng.normal(size=rows), 0.0, 1.0).round(decimals)
    return labels, first, second


def by_hand(metric: Metric, labels: Floats, scores: Floats) -> float:
    """Each measure once more, by loops or by scikit-learn."""
    if metric == "average_precision":
        return sk.average_precision_score(labels, scores)
    if metric == "auc":
        return sk.roc_auc_score(labels, scores)
    if metric == "accuracy":
        return sk.accuracy_score(labels > 0.5, scores > 0.5)
    if metric == "kappa_temporal":
        right = sk.accuracy_score(labels[1:] > 0.5, scores[1:] > 0.5)
        repeated = sk.accuracy_score(labels[1:], labels[:-1])
        return (right - repeated) / (1 - repeated)
    return -sk.brier_score_loss(labels, scores) if metric == "negative_brier" else -sk.root_mean_squared_error(labels, scores)


@given(st.integers(3, 200), st.integers(0, 1_000), st.integers(0, 4))
@settings(max_examples=40, deadline=None)
def test_every_measure_agrees_with_scikit_learn_ties_included(rows: int, seed: int, decimals: int):
    labels, scores, _ = scored(rows, seed, decimals)
    labels[:2] = 0, 1
    for metric in ALL:
        assert measure(metric, labels, scores) == pytest.approx(by_hand(metric, labels, scores)), metric


def test_average_precision_by_hand():
    # From the top: 1, 0, 1: precision 1 at recall 1/2, then 2/3 at recall 1.
    assert average_precision(np.array([1.0, 0, 1]), np.array([0.9, 0.8, 0.7])) == pytest.approx(0.5 + 0.5 * 2 / 3)
    # All in one tie: the share of positives.
    assert average_precision(np.array([1.0, 0, 0, 0]), np.full(4, 0.3)) == pytest.approx(0.25)
    # The negative comes last: it costs nothing.
    assert average_precision(np.array([1.0, 1, 0]), np.array([0.9, 0.5, 0.1])) == 1


@pytest.mark.parametrize("label", [0.0, 1.0])
@pytest.mark.parametrize("metric", ["average_precision", "auc", "kappa_temporal"])
def test_one_class_only_has_no_value(metric: Metric, label: float):
    assert np.isnan(measure(metric, np.full(5, label), np.linspace(0, 1, 5)))
    assert np.isnan(difference(metric, np.full(50, label), np.linspace(0, 1, 50), np.linspace(1, 0, 50), seed=0)).all()


@pytest.mark.parametrize("metric", ALL)
def test_no_rows_have_no_value(metric: Metric):
    assert np.isnan(measure(metric, np.array([]), np.array([])))


def test_accuracy_takes_a_half_as_class_0():
    assert measure("accuracy", np.array([0.0, 1, 1]), np.array([0.5, 0.5, 0.51])) == pytest.approx(2 / 3)


def test_kappa_temporal_by_hand():
    labels = np.array([0.0, 0, 1, 1, 0])
    # Of the last four rows two repeat the one before; three are scored rightly.
    assert kappa_temporal(labels, np.array([0.9, 0.1, 0.9, 0.1, 0.1])) == pytest.approx((3 / 4 - 1 / 2) / (1 - 1 / 2))
    # Saying the last label is worth nothing, all right is worth one.
    assert kappa_temporal(labels, np.r_[0.0, labels[:-1]]) == 0
    assert kappa_temporal(labels, labels) == 1
    assert kappa_temporal(np.array([0.0, 1]), np.array([0.0, 1])) == 1
    assert np.isnan(kappa_temporal(labels[:1], labels[:1]))


@pytest.mark.parametrize("metric", ALL)
def test_a_draw_is_the_measure_of_the_drawn_rows(metric: Metric):
    labels, scores, _ = scored(157, 3, decimals=1)
    block, taken = block_draws(len(labels), seed=1, draws=20, blocks=13)
    for found, counts in zip(drawn(metric, labels, scores, block, taken), taken, strict=True):
        if metric == "kappa_temporal":
            # Drawn are pairs of a row and the one before it.
            pairs = np.repeat(np.arange(1, len(labels)), counts[block][1:])
            right = np.mean((scores[pairs] > 0.5) == (labels[pairs] > 0.5))
            repeated = np.mean(labels[pairs] == labels[pairs - 1])
            assert found == pytest.approx((right - repeated) / (1 - repeated))
        else:
            rows = np.repeat(np.arange(len(labels)), counts[block])
            assert found == pytest.approx(by_hand(metric, labels[rows], scores[rows]))


def test_a_draw_without_a_positive_row_is_no_number():
    labels, scores = np.array([1.0, 0, 0, 0]), np.array([0.9, 0.1, 0.2, 0.3])
    block, taken = np.array([0, 0, 1, 1]), np.array([[2, 0], [0, 2], [1, 1]])
    first, second, third = drawn_average_precisions(labels, scores, block, taken)
    assert (first, third) == (1, 1)
    assert np.isnan(second)
    assert np.isnan(drawn_average_precisions(np.zeros(4), scores, block, taken)).all()


def test_drawing_in_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    labels, scores, _ = scored(200, 4)
    block, taken = block_draws(200, seed=1, draws=50)
    whole = drawn_average_precisions(labels, scores, block, taken)
    monkeypatch.setattr("tests.bench.closed_loop.metrics.measures._CHUNK", 200)
    assert drawn_average_precisions(labels, scores, block, taken) == pytest.approx(whole)


def test_the_difference_of_aucs_is_that_of_the_skills():
    labels, first, second = scored(500, 5)
    expected = compared("binary", labels, first, second, seed=7, draws=300)[2]
    assert difference("auc", labels, second, first, seed=7, draws=300) == pytest.approx(expected)


@pytest.mark.parametrize("metric", ALL)
def test_a_difference_is_signed_paired_and_repeatable(metric: Metric):
    labels, old, new = scored(600, 6)
    found = difference(metric, labels, new, old, seed=1, draws=500)
    assert found.value == pytest.approx(by_hand(metric, labels, new) - by_hand(metric, labels, old))
    assert found.low999 <= found.low < found.value < found.high <= found.high999
    assert difference(metric, labels, new, old, seed=1, draws=500) == found
    assert difference(metric, labels, old, old, seed=1, draws=500) == (0, 0, 0, 0, 0)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    # Accuracy 0.7 against 0.6 with independent errors, so that the true difference is 0.1.
    hits = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 2, 400).astype(float)
        new, old = (np.where(rng.random(400) < share, labels, 1 - labels) for share in (0.7, 0.6))
        found = difference("accuracy", labels, new, old, seed=seed, draws=400)
        hits += found.low <= 0.1 <= found.high
    assert 180 <= hits <= 199
