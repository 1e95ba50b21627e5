"""Metrics of goals are scikit-learn's, their draws are those of the drawn rows, and their intervals hold what they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from daemon.goals.metrics import METRICS
from skills._kit import measures
from skills._kit.frames import Floats
from skills._kit.metrics import block_draws, calibration_error
from streams.contracts.bundle import Interval

BINARY = sorted(name for name, task in measures.TASKS.items() if task == "binary")
REGRESSION = sorted(name for name, task in measures.TASKS.items() if task == "regression")
SHARES = ["precision", "recall", "specificity", "f1", "accuracy", "error_rate", "false_positive_rate", "false_negative_rate"]


def expected(metric: str, labels: Floats, scores: Floats, threshold: float, weights: Floats | None = None) -> float:
    """What scikit-learn says, NaN where it says that nothing can be said."""
    called, given_to = scores >= threshold, {"sample_weight": weights}
    if metric in BINARY:
        (tn, fp), (fn, tp) = sk.confusion_matrix(labels, called, labels=[0, 1], **given_to).astype(float)
    undefined = {**given_to, "zero_division": np.nan}
    known = {
        "precision": lambda: sk.precision_score(labels, called, **undefined),
        "recall": lambda: sk.recall_score(labels, called, **undefined),
        "specificity": lambda: sk.recall_score(1 - labels, ~called, **undefined),
        "f1": lambda: sk.f1_score(labels, called, **undefined),
        "accuracy": lambda: sk.accuracy_score(labels, called, **given_to),
        "error_rate": lambda: sk.zero_one_loss(labels, called, **given_to),
        "false_positive_rate": lambda: fp / (fp + tn) if fp + tn else np.nan,
        "false_negative_rate": lambda: fn / (fn + tp) if fn + tp else np.nan,
        "auc": lambda: sk.roc_auc_score(labels, scores, **given_to) if len(set(labels)) == 2 else np.nan,
        "log_loss": lambda: sk.log_loss(labels, scores, labels=[0, 1], **given_to),
        "brier": lambda: sk.brier_score_loss(labels, scores, pos_label=1, **given_to),
        "rmse": lambda: np.sqrt(sk.mean_squared_error(labels, scores, **given_to)),
        "mae": lambda: sk.mean_absolute_error(labels, scores, **given_to),
        "r2": lambda: sk.r2_score(labels, scores, **given_to),
    }
    return float(known[metric]())


def binary(rows: int, seed: int, digits: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < 0.4).astype(float)
    return labels, np.clip((0.3 + 0.3 * labels + 0.25 * rng.normal(size=rows)).round(digits), 0.05, 0.95)


def interval_of(found: measures.Measured, rows: int, seed: int) -> Interval | None:
    return measures.interval_of(found, found.drawn(*block_draws(rows, seed, 300)), 0.95)


def test_every_metric_of_goals_is_measured_but_the_latencies():
    assert set(measures.TASKS) == {name for name, metric in METRICS.items() if metric.counted != "ms"}
    for name, task in measures.TASKS.items():
        assert METRICS[name].tasks == (task,)
        assert METRICS[name].better == measures.better(name)


@pytest.mark.parametrize("metric", sorted(set(BINARY) - {"calibration_error"}))
@given(rows=st.integers(20, 200), seed=st.integers(0, 999), digits=st.integers(1, 5), threshold=st.sampled_from([0.3, 0.5, 0.8]))
@settings(max_examples=15, deadline=None)
def test_it_is_scikit_learn_s_with_ties_too(metric: str, rows: int, seed: int, digits: int, threshold: float):
    labels, scores = binary(rows, seed, digits)
    labels[:2] = 0, 1
    found = measures.measure(metric, labels, scores, threshold)
    assert found.value == pytest.approx(expected(metric, labels, scores, threshold), nan_ok=True)


@pytest.mark.parametrize("metric", REGRESSION)
@given(rows=st.integers(20, 200), seed=st.integers(0, 999), level=st.sampled_from([0.0, 1e6]))
@settings(max_examples=15, deadline=None)
def test_errors_are_scikit_learn_s_far_from_nought_too(metric: str, rows: int, seed: int, level: float):
    rng = np.random.default_rng(seed)
    labels = level + rng.normal(size=rows)
    scores = labels + rng.normal(size=rows)
    found = measures.measure(metric, labels, scores, 0.5)
    assert found.value == pytest.approx(expected(metric, labels, scores, 0.5), rel=1e-6)


def test_a_score_of_the_threshold_is_called_positive():
    labels, scores = np.array([1.0, 0.0, 1.0, 0.0]), np.array([0.5, 0.5, 0.49, 0.1])
    assert measures.measure("precision", labels, scores, 0.5).value == 0.5
    assert measures.measure("recall", labels, scores, 0.5).value == 0.5


@pytest.mark.parametrize("metric", [*BINARY, *REGRESSION])
def test_draws_are_the_metric_of_the_drawn_rows(metric: str):
    labels, scores = binary(157, 3, 2)
    labels = labels if metric in BINARY else labels + np.random.default_rng(1).normal(size=157)
    block, taken = block_draws(157, seed=1, draws=20, blocks=13)
    found = measures.measure(metric, labels, scores, 0.5)
    drawn = found.drawn(block, taken).values
    for value, counts in zip(drawn, taken, strict=True):
        weights = counts[block].astype(float)
        if metric == "calibration_error":
            parts = np.array_split(np.argsort(scores, kind="stable"), measures.CALIBRATION_BINS)
            gaps = [abs((weights[part] * (labels - scores)[part]).sum()) for part in parts]
            assert value == pytest.approx(sum(gaps) / weights.sum())
        else:
            assert value == pytest.approx(expected(metric, labels, scores, 0.5, weights))


def test_the_calibration_error_is_the_one_that_judges():
    for rows in (3, 10, 157):
        labels, scores = binary(rows, 3, 1)
        found = measures.measure("calibration_error", labels, scores, 0.5).value
        assert found == pytest.approx(calibration_error(labels, scores))


@pytest.mark.parametrize("metric", BINARY)
@pytest.mark.parametrize("label", [0.0, 1.0])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_of_one_class_it_says_what_can_be_said(metric: str, label: float):
    labels, scores = np.full(40, label), np.linspace(0.05, 0.95, 40)
    found = measures.measure(metric, labels, scores, 0.5)
    if metric != "calibration_error":
        assert found.value == pytest.approx(expected(metric, labels, scores, 0.5), nan_ok=True)
    if np.isnan(found.value):
        assert found.cases == 0
        assert interval_of(found, 40, 0) is None


@pytest.mark.parametrize("metric", [*BINARY, *REGRESSION])
def test_no_rows_are_no_number(metric: str):
    found = measures.measure(metric, np.zeros(0), np.zeros(0), 0.5)
    assert np.isnan(found.value)
    assert found.cases == 0


def test_labels_that_are_all_the_same_have_no_r2():
    assert np.isnan(measures.measure("r2", np.full(50, 1e9), np.linspace(0, 1, 50), 0.5).value)


@pytest.mark.parametrize(("hits", "among"), [(0, 1), (3, 3), (95, 100), (190, 400)])
@pytest.mark.parametrize("level", [0.95, 0.999])
def test_shares_are_bounded_by_wilson_s_interval(hits: int, among: int, level: float):
    interval = stats.binomtest(hits, among).proportion_ci(level, method="wilson")
    assert measures.wilson(hits, among, level) == pytest.approx((interval.low, interval.high))
    assert measures.wilson(0, 0, level) == (0.0, 1.0)


def test_rows_that_all_count_the_same_don_t_make_sure():
    labels = np.ones(30)
    found = measures.measure("precision", labels, np.full(30, 0.9), 0.5)
    interval = interval_of(found, 30, 0)
    assert interval is not None
    assert (interval.value, interval.high) == (1.0, 1.0)
    assert 0.85 < interval.low < 0.9


@pytest.mark.parametrize("metric", SHARES)
def test_bounds_lie_around_the_value(metric: str):
    labels, scores = binary(400, 5, 2)
    found = measures.measure(metric, labels, scores, 0.5)
    assert found.bounds is not None
    low, high = found.bounds(0.95)
    assert low < found.value < high


@pytest.mark.parametrize("metric", ["precision", "f1", "auc", "log_loss", "calibration_error", "accuracy"])
def test_an_interval_holds_the_truth_as_often_as_it_says(metric: str):
    def world(rows: int, seed: int) -> tuple[Floats, Floats]:
        rng = np.random.default_rng(seed)
        scores = rng.beta(2, 2, rows)
        chance = np.clip(scores + 0.1 * (scores < 0.5), 0, 1)
        return (rng.random(rows) < chance).astype(float), scores

    truth = measures.measure(metric, *world(400_000, 999), 0.5).value
    inside = 0
    for seed in range(100):
        labels, scores = world(400, seed)
        found = measures.measure(metric, labels, scores, 0.5)
        interval = interval_of(found, 400, seed)
        assert interval is not None
        inside += interval.low <= truth <= interval.high
    assert inside >= 88


@pytest.mark.parametrize("rows", [100, 400])
def test_chance_alone_doesn_t_make_a_calibrated_model_miss(rows: int):
    """The plain calibration error of few rows is far from nought, and its draws are farther: neither may pass for the truth."""
    missed = above = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        scores = rng.beta(2, 2, rows)
        labels = (rng.random(rows) < scores).astype(float)
        found = measures.measure("calibration_error", labels, scores, 0.5)
        above += found.value > 0.03
        interval = interval_of(found, rows, seed)
        missed += interval is not None and interval.low > 0.03
    assert above > 80
    assert missed <= 5


def test_a_model_that_is_far_from_calibrated_is_seen():
    rng = np.random.default_rng(0)
    scores = rng.beta(2, 2, 400)
    labels = (rng.random(400) < np.clip(scores + 0.2, 0, 1)).astype(float)
    interval = interval_of(measures.measure("calibration_error", labels, scores, 0.5), 400, 0)
    assert interval is not None
    assert 0.05 < interval.low < 0.2 < interval.high
