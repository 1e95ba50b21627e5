"""How good a model is to be expected: worked out by hand, and against what then happens."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from streams.contracts.bundle import ScoreOutcomes
from streams.statistics.estimates import Estimator

# Three bins: of 10, 20 and 10 rows 1, 10 and 9 are positive; the threshold lies in the middle of the second.
KNOWN = ScoreOutcomes(rows=[10, 20, 10], loss=[0.2, 0.7, 0.1], positives=[1, 10, 9], right=[9, 12, 9])


def test_of_the_reference_itself_it_says_what_was():
    found = Estimator(KNOWN).estimate(KNOWN.rows)
    assert found is not None
    assert found.loss == pytest.approx((2 + 14 + 1) / 40)
    assert found.accuracy == pytest.approx(30 / 40)
    # Positives 1, 10, 9 over negatives 9, 10, 1: ties count a half.
    assert found.auc == pytest.approx((1 * 4.5 + 10 * (9 + 5) + 9 * (19 + 0.5)) / 400)


def test_the_order_within_a_bin_counts_as_far_as_it_is_known():
    found = Estimator(msgspec.structs.replace(KNOWN, within=[0.5, 0.7, 1.0])).estimate(KNOWN.rows)
    assert found is not None
    assert found.auc == pytest.approx((1 * 4.5 + 10 * (9 + 7) + 9 * (19 + 1)) / 400)


def test_rows_on_which_it_is_unsure_lower_what_is_expected():
    found = Estimator(KNOWN).estimate([0, 30, 0])
    assert found is not None
    assert found == (pytest.approx(0.7), pytest.approx(0.5), pytest.approx(12 / 20))


def test_nothing_is_expected_of_no_rows_and_no_area_of_one_label():
    assert Estimator(KNOWN).estimate([0, 0, 0]) is None
    sure = ScoreOutcomes(rows=[10, 10], loss=[0.1, 0.2], positives=[0, 0], right=[10, 10])
    found = Estimator(sure).estimate([3, 3])
    assert found is not None
    assert (found.auc, found.accuracy) == (None, 1.0)


def test_a_regression_has_a_loss_alone():
    found = Estimator(ScoreOutcomes(rows=[1, 3], loss=[4.0, 8.0])).estimate([1, 1])
    assert found == (pytest.approx(6.0), None, None)


def test_a_bin_without_rows_has_what_lies_between_its_neighbours():
    found = Estimator(ScoreOutcomes(rows=[10, 0, 10], loss=[1.0, 0.0, 3.0])).estimate([0, 5, 0])
    assert found is not None
    assert found.loss == pytest.approx(2.0)
    assert Estimator(ScoreOutcomes(rows=[0, 0], loss=[0.0, 0.0])).estimate([1, 1]) is not None


def test_positives_become_no_rarer_as_the_score_rises():
    """The ten rows of the second bin have fewer than the first, so both have what they have together."""
    outcomes = ScoreOutcomes(rows=[30, 10, 0, 20], loss=[0.5] * 4, positives=[12, 2, 0, 15], right=[15, 5, 0, 10])
    estimator = Estimator(outcomes)
    np.testing.assert_allclose(estimator.chance, [0.35, 0.35, 0.55, 0.75], atol=1e-6)
    found = estimator.estimate(outcomes.rows)
    assert found is not None
    ones, zeros = [14, 15], [26, 5]
    assert found.auc == pytest.approx((ones[0] * zeros[0] / 2 + ones[1] * (zeros[0] + zeros[1] / 2)) / (29 * 31), abs=2e-4)


@pytest.mark.parametrize(("a", "b"), [(2.0, 2.0), (1.0, 5.0), (6.0, 5.0)])
def test_what_is_expected_comes_when_only_the_rows_are_others(a: float, b: float):
    """Scores mean the same in both samples: the label's chance is a bent function of the score, so it isn't calibrated."""
    rng = np.random.default_rng(0)
    edges = np.linspace(0.05, 0.95, 19)

    def drawn(one: float, other: float, rows: int) -> tuple[np.ndarray, np.ndarray]:
        score = rng.beta(one, other, rows)
        return score, rng.random(rows) < score**1.7

    score, label = drawn(2, 2, 60_000)
    place = np.searchsorted(edges, score)
    counts = [np.bincount(place[chosen], minlength=20).tolist() for chosen in (label | True, label, label == (score >= 0.5))]
    loss = np.bincount(place, weights=-np.log(np.where(label, score, 1 - score)), minlength=20) / np.maximum(counts[0], 1)
    estimator = Estimator(ScoreOutcomes(rows=counts[0], loss=loss.tolist(), positives=counts[1], right=counts[2]))
    later, truth = drawn(a, b, 40_000)
    found = estimator.estimate(np.bincount(np.searchsorted(edges, later), minlength=20))
    assert found is not None
    assert found.auc == pytest.approx(roc_auc_score(truth, later), abs=0.012)
    assert found.accuracy == pytest.approx(float(np.mean(truth == (later >= 0.5))), abs=0.01)
    assert found.loss == pytest.approx(float(-np.log(np.where(truth, later, 1 - later)).mean()), abs=0.01)
