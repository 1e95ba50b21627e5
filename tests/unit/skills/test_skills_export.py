"""Whether a graph answers as its booster does."""

import numpy as np
import pytest

from skills._kit.boosting import Fold, fit, predict
from skills._kit.errors import ParityError
from skills._kit.export import largest_difference


def test_differences_are_measured_in_the_scores_own_unit():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(500, 3)).astype(np.float32)
    labels = 300 * matrix[:, 0].astype(np.float64)
    booster = fit("regression", Fold(matrix, labels), {"rounds": 20}, 0).booster
    scores = predict(booster, matrix)
    assert scores.std() > 100
    assert largest_difference(booster, matrix, scores + 5e-4) < 1e-5, "rounding of leaves in the hundreds"
    with pytest.raises(ParityError, match="differ by up to"):
        largest_difference(booster, matrix, scores + 0.01)
