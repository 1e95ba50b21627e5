"""Time to recover, by hand: one row a millisecond, windows of ten, accuracy given window by window."""

from collections.abc import Sequence

import numpy as np
import pytest

from tests.bench.closed_loop.metrics.recovery import Recovery, labelled_rows, time_to_recover
from tests.bench.closed_loop.metrics.scored import Scored, Span

NAN = float("nan")
ONSET = 1_000


def stream(right: Sequence[float | None], label: float = 1.0) -> Scored:
    """Ten rows a window, so many of them right; None: no truth there, NaN: no score there."""
    labels, scores = [], []
    for share in right:
        hits = 0 if share is None or np.isnan(share) else round(10 * share)
        labels += [NAN if share is None else label] * 10
        scores += [NAN] * 10 if share is not None and np.isnan(share) else [label] * hits + [1 - label] * (10 - hits)
    return Scored.of(ONSET + np.arange(len(labels)), labels, scores)


def recovered(policy: Sequence[float | None], oracle: Sequence[float | None], settled: int = 0) -> Recovery:
    horizon = Span(ONSET, ONSET + 10 * len(policy))
    return time_to_recover(
        stream(policy), stream(oracle), "accuracy", horizon=horizon, settled_ms=ONSET + 10 * settled, window_ms=10
    )


def test_the_first_of_three_in_a_row_counts():
    assert recovered([0.1, 1, 1, 0.1, 1, 1, 1], [1] * 7) == Recovery(pytest.approx(0.95), 40, 40)


def test_nothing_lost_is_no_time_at_all():
    assert recovered([1, 1, 1], [1] * 3) == Recovery(pytest.approx(0.95), 0, 0)


def test_two_in_a_row_are_not_enough():
    assert recovered([0, 1, 1, 0, 1, 1], [1] * 6) == Recovery(pytest.approx(0.95), None, None)


def test_the_level_is_that_of_the_settled_oracle():
    assert recovered([0.3, 0.3, 0.3, 0.8, 0.8, 0.8], [0.3, 0.3, 0.8, 0.8, 0.8, 0.8], settled=2) == Recovery(
        pytest.approx(0.76), 30, 30
    )
    # Over all windows the level would be lower and be reached at once.
    assert recovered([0.6] * 6, [0.1, 0.1, 0.8, 0.8, 0.8, 0.8]).after_ms == 0
    assert recovered([0.6] * 6, [0.1, 0.1, 0.8, 0.8, 0.8, 0.8], settled=2).after_ms is None


def test_reaching_the_level_exactly_is_enough():
    # Windows of twenty rows, nineteen of them right.
    times, labels = ONSET + np.arange(60), np.ones(60)
    found = time_to_recover(
        Scored.of(times, labels, (np.arange(60) % 20 > 0).astype(float)),
        Scored.of(times, labels, labels),
        "accuracy",
        horizon=Span(ONSET, ONSET + 60),
        settled_ms=ONSET,
        window_ms=20,
    )
    assert found == Recovery(pytest.approx(0.95), 0, 0)


def test_windows_without_truth_are_passed_over():
    assert recovered([0, 1, None, 1, None, 1], [1] * 6) == Recovery(pytest.approx(0.95), 10, 10)


def test_unscored_windows_break_the_run():
    assert recovered([0, 1, 1, NAN, 1, 1, 1], [1] * 7) == Recovery(pytest.approx(0.95), 40, 40)


def test_an_oracle_that_refits_to_the_end_is_taken_at_the_last_three_windows():
    ours, oracle = [0.1, 0.1, 1, 1, 1], [0.1, 0.1, 0.8, 1, 0.9]
    for settled in (3, 5):
        assert recovered(ours, oracle, settled=settled) == Recovery(pytest.approx(0.95 * 0.9), 20, 20)


def test_without_an_oracle_s_level_nothing_is_computable():
    assert recovered([1, 1, 1], [None, None, None]) == Recovery(None, None, None)


def test_five_percent_of_an_error_is_further_from_zero():
    times, labels = ONSET + np.arange(40), np.zeros(40)
    policy, oracle = np.r_[np.full(10, 2.0), np.full(30, 1.04)], np.ones(40)
    horizon = Span(ONSET, ONSET + 40)
    found = time_to_recover(
        Scored.of(times, labels, policy),
        Scored.of(times, labels, oracle),
        "negative_rmse",
        horizon=horizon,
        settled_ms=ONSET,
        window_ms=10,
    )
    assert found == Recovery(pytest.approx(-1.05), 10, 10)


def test_rows_are_counted_in_labels():
    scored = Scored.of([1, 2, 3, 4], [1, NAN, 0, 1], [NAN, 0, 0, 0])
    assert labelled_rows(scored, Span(1, 4)) == 2
    assert labelled_rows(scored, Span(5, 9)) == 0
    # Only half the rows of the first window have a truth.
    policy = stream([0, 1, 1, 1])
    policy.label[:5] = NAN
    found = time_to_recover(policy, stream([1] * 4), "accuracy", horizon=Span(ONSET, ONSET + 40), settled_ms=ONSET, window_ms=10)
    assert (found.after_ms, found.rows) == (10, 5)
