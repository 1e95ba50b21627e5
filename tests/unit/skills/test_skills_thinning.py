"""Which rows are fitted where one class is rare: enough of the other, weighted so that scores stay probabilities."""

import numpy as np
import pytest

from skills._kit.boosting import fit, predict
from skills._kit.design import thinned, thinned_apart
from skills._kit.frames import Floats, Singles
from skills.train_xgboost import COMMON_PER_RARE, LEAST_THINNED, _fold

ROWS = 100_000


def rare(seed: int) -> tuple[Singles, Floats]:
    """Rows numbered in the first column, with a signal in the second; about 0.8 % positives."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=ROWS)
    labels = (rng.random(ROWS) < 1 / (1 + np.exp(6.0 - 1.5 * signal))).astype(np.float64)
    return np.column_stack([np.arange(ROWS), signal]).astype(np.float32), labels


@pytest.mark.parametrize("turned", [False, True])
def test_all_of_the_rarer_class_and_a_share_of_the_other_are_fitted(turned: bool):  # noqa: FBT001 - a parameter of the test
    matrix, labels = rare(1)
    labels = 1 - labels if turned else labels
    fold = _fold("binary", matrix, labels, 0).rows
    assert fold.weights is not None
    few = fold.labels == (0.0 if turned else 1.0)
    number = int(min(labels.sum(), ROWS - labels.sum()))
    assert (int(few.sum()), int((~few).sum())) == (number, COMMON_PER_RARE * number)
    index = fold.matrix[:, 0].astype(np.int64)
    assert (np.diff(index) > 0).all()
    assert np.array_equal(labels[index], fold.labels)
    assert np.array_equal(index, _fold("binary", matrix, labels, 0).places)
    assert (fold.weights[few] == 1).all()
    assert fold.weights.sum() == pytest.approx(ROWS)


def test_the_seed_draws_the_rows():
    matrix, labels = rare(1)
    first, again, other = (_fold("binary", matrix, labels, seed).rows.matrix[:, 0] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_few_rows_and_balanced_or_continuous_labels_are_fitted_whole():
    matrix, labels = rare(1)
    for task, rows, given in (
        ("binary", LEAST_THINNED, labels),
        ("binary", ROWS, np.arange(ROWS) % 2.0),
        ("regression", ROWS, labels),
    ):
        fold = _fold(task, matrix[:rows], given[:rows], 0).rows
        assert (len(fold.labels), fold.weights) == (rows, None)


def test_one_class_is_left_to_be_refused():
    fold = _fold("binary", rare(1)[0], np.zeros(ROWS), 0).rows
    assert len(fold.labels) == LEAST_THINNED


def test_scores_stay_probabilities():
    matrix, labels = rare(1)
    fold = _fold("binary", matrix, labels, 0).rows
    fitted = fit("binary", fold._replace(matrix=fold.matrix[:, 1:]), {"rounds": 60, "max_depth": 3}, 0)
    later, told = rare(2)
    scores = predict(fitted.booster, later[:, 1:])
    for part in (scores > 0, scores > np.quantile(scores, 0.9)):
        assert scores[part].mean() == pytest.approx(told[part].mean(), rel=0.1)


def test_other_bins_are_the_same_for_the_rows_watched():
    matrix, labels = rare(1)
    fold = _fold("binary", matrix[:20_000], labels[:20_000], 0).rows
    later = _fold("binary", matrix[20_000:40_000], labels[20_000:40_000], 0).rows
    assert fit("binary", fold, {"max_bin": 64, "rounds": 5}, 0, later).rounds == 5


def test_what_is_new_fills_half_and_weights_make_up_for_the_others():
    _, labels = rare(1)
    new = np.arange(ROWS) >= 0.9 * ROWS
    index, weights = thinned_apart(labels, new, "binary", 10_000, np.random.default_rng(0))
    assert len(index) == len(weights) == 10_000
    assert (np.diff(index) > 0).all()
    assert new[index].sum() == 5_000
    for part in (new, ~new):
        assert weights[part[index]].sum() == pytest.approx(part.sum())
    few = np.arange(ROWS) >= ROWS - 100
    index, weights = thinned_apart(labels, few, "binary", 10_000, np.random.default_rng(0))
    assert (len(index), few[index].sum(), weights[few[index]].sum()) == (10_000, 100, 100)
    for alike in (np.zeros(ROWS, bool), np.ones(ROWS, bool)):
        one, other = (
            thinned_apart(labels, alike, "binary", 500, np.random.default_rng(3)),
            thinned(labels, "binary", 500, np.random.default_rng(3)),
        )
        assert all(np.array_equal(*pair) for pair in zip(one, other, strict=True))
