import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from skills._kit import metrics
from skills._kit.archives import DRAWS
from skills._kit.frames import Floats


def scored(rows: int, seed: int, rounding: int = 2):
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < 0.3).astype(float)
    first = np.clip(0.3 + 0.2 * labels + 0.25 * rng.normal(size=rows), 0.1, 0.9).round(rounding)
    second = np.clip(first + 0.1 * labels + 0.1 * rng.normal(size=rows), 0.1, 0.9).round(rounding)
    return labels, first, second


@given(st.integers(30, 300), st.integers(0, 1_000), st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_metrics_agree_with_scikit_learn(rows: int, seed: int, rounding: int):
    labels, scores, _ = scored(rows, seed, rounding)
    labels[:2] = 0, 1
    assert metrics.auc(labels, scores) == pytest.approx(sk.roc_auc_score(labels, scores))
    assert metrics.log_losses(labels, scores).mean() == pytest.approx(sk.log_loss(labels, scores))
    assert metrics.squared_errors(labels, scores).mean() == pytest.approx(sk.brier_score_loss(labels, scores))


def test_auc_of_one_class_is_no_number():
    assert np.isnan(metrics.auc(np.ones(5), np.arange(5.0)))


@pytest.mark.parametrize("digits", [1, 9])
@pytest.mark.parametrize(("rows", "blocks"), [(157, 13), (60, 1), (1_500, 100)])
def test_drawn_aucs_are_the_aucs_of_the_drawn_rows(rows: int, blocks: int, digits: int):
    labels, scores, _ = scored(rows, 3)
    scores = np.round(scores, digits)
    block, taken = metrics.block_draws(len(labels), seed=1, draws=20, blocks=blocks)
    drawn = metrics.drawn_aucs(labels, scores, block, taken)
    for found, counts in zip(drawn, taken, strict=True):
        assert found == pytest.approx(sk.roc_auc_score(labels, scores, sample_weight=counts[block]))


def test_a_draw_of_one_class_has_no_auc():
    block, taken = metrics.block_draws(40, seed=1, draws=20, blocks=4)
    drawn = metrics.drawn_aucs((np.arange(40) < 10).astype(float), np.arange(40.0), block, taken)
    assert np.array_equal(np.isnan(drawn), (taken[:, 0] == 0) | (taken[:, 1:].sum(axis=1) == 0))


def test_delong_equals_its_definition():
    labels, first, second = scored(80, 5)
    hits, misses = np.flatnonzero(labels > 0.5), np.flatnonzero(labels <= 0.5)

    def placements(scores: Floats) -> tuple[Floats, Floats]:
        kernel = (scores[hits][:, None] > scores[misses]) + 0.5 * (scores[hits][:, None] == scores[misses])
        return kernel.mean(axis=1), kernel.mean(axis=0)

    (above1, below1), (above2, below2) = placements(first), placements(second)
    expected = np.sqrt((above2 - above1).var(ddof=1) / len(hits) + (below2 - below1).var(ddof=1) / len(misses))
    difference, error = metrics.delong(labels, first, second)
    assert difference == pytest.approx(sk.roc_auc_score(labels, second) - sk.roc_auc_score(labels, first))
    assert error == pytest.approx(expected)


def test_bootstrap_and_delong_agree_on_independent_rows():
    labels, first, second = scored(3_000, 6, rounding=6)
    difference = metrics.compared("binary", labels, first, second, seed=0)[2]
    value, error = metrics.delong(labels, first, second)
    assert difference.value == pytest.approx(value)
    assert (difference.high - difference.low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.15)


def test_interval_covers_the_truth_as_often_as_it_says():
    inside = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        labels = rng.normal(size=400)
        before, after = labels + rng.normal(size=400), labels + 0.9 * rng.normal(size=400)
        difference = metrics.compared("regression", labels, before, after, seed=seed, draws=200)[2]
        inside += difference.low <= -0.1 <= difference.high
    assert 51 <= inside <= 60


def test_wide_interval_contains_the_narrow_one():
    labels, first, second = scored(500, 7)
    for one in metrics.compared("binary", labels, first, second, seed=0):
        assert one.low999 <= one.low <= one.value <= one.high <= one.high999


def test_the_best_of_three_is_surely_better_by_chance_no_more_often_than_one_alone():
    """Champions of before that are as good as the present one: how often the best of them seems surely better."""
    alone, corrected, worlds = 0, 0, 400
    for seed in range(worlds):
        rng = np.random.default_rng(seed)
        labels = rng.normal(size=400)
        own, *others = (metrics.squared_errors(labels, labels + rng.normal(size=400)) for _ in range(4))
        block, taken = metrics.block_draws(400, seed, draws=3 * DRAWS)
        gains = [own - one for one in others]
        found = [(float(gain.mean()), metrics.drawn_means(gain, block, taken)) for gain in gains]
        alone += max(metrics.estimate(*one).low for one in found) > 0
        corrected += max(metrics.estimate(*one, comparisons=3).low for one in found) > 0
    assert alone / worlds > 0.06, "of three by themselves one does so much too often"
    # Three standard errors: percentiles of the bootstrap are a little too near in the far tails.
    assert corrected / worlds <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / worlds)


def test_a_comparison_is_one_of_several_where_it_is_said():
    labels, first, second = scored(500, 7)
    alone, best = (metrics.compared("binary", labels, first, second, seed=0, comparisons=count)[2] for count in (1, 3))
    assert best.value == alone.value
    assert best.low < alone.low < alone.high < best.high


def test_the_intervals_of_several_are_wider_and_those_of_one_are_what_they_were():
    draws = np.random.default_rng(0).normal(size=20_000)
    one, three = metrics.estimate(0.0, draws), metrics.estimate(0.0, draws, 3)
    assert one[1:] == tuple(np.quantile(draws, (0.025, 0.975, 0.0005, 0.9995)))
    assert (three.low, three.high) == tuple(np.quantile(draws, (0.025 / 3, 1 - 0.025 / 3)))
    assert three.low < one.low < one.high < three.high


def test_block_gain_is_silent_without_a_gain_and_speaks_with_one():
    rng = np.random.default_rng(0)
    blocks, weights = np.arange(2_400) * 24 // 2_400, np.ones(2_400)
    false = sum(
        metrics.block_gain(rng.normal(size=2_400) + rng.normal(size=24)[blocks], weights, blocks).p_value < 0.05
        for _ in range(200)
    )
    assert false <= 20
    real = metrics.block_gain(rng.normal(0.3, 1, 2_400), weights, blocks)
    assert real.p_value < 0.001
    assert real.low < 0.3 < real.high


def test_block_gain_needs_blocks():
    assert metrics.block_gain(np.ones(10), np.ones(10), np.zeros(10, dtype=np.int64)).p_value == 1.0


def test_holm_corrects_step_by_step():
    assert metrics.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert metrics.holm([]) == []


def test_calibration_error_is_zero_for_calibrated_scores_and_the_offset_for_shifted_ones():
    rng = np.random.default_rng(1)
    chance = rng.random(50_000)
    labels = (rng.random(50_000) < chance).astype(float)
    assert metrics.calibration_error(labels, chance) < 0.02
    assert metrics.calibration_error(labels, np.clip(chance + 0.2, 0, 2)) == pytest.approx(0.2, abs=0.02)


def test_wilcoxon_is_scipys():
    improvements, blocks = np.random.default_rng(3).normal(0.1, 1, 240), np.arange(240) // 10
    expected = stats.wilcoxon(improvements.reshape(24, 10).mean(axis=1), alternative="greater").pvalue
    assert metrics.block_gain(improvements, np.ones(240), blocks).p_value == pytest.approx(expected)
