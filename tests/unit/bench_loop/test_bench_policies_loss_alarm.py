"""The alarm on the loss of labelled rows."""

import numpy as np
import pandas as pd
import pytest

from streams.contracts.schema import Column, ModelSchema
from tests.bench.closed_loop.policies.base import DAY_MS, Retrain
from tests.bench.closed_loop.policies.loss_alarm import LossAlarm
from tests.unit.bench_loop.policy_world import HOUR_MS, day, matured, moment, world

REGRESSION = ModelSchema(task="regression", columns=(Column(name="hr", kind="number"),))


def outcomes(rng: np.random.Generator, end_ms: int, share_missed: float, rows: int = 200) -> pd.DataFrame:
    """An hour of labels: a tenth positive, of which a share got the score of a negative."""
    label = (rng.random(rows) < 0.1).astype("float64")
    score = np.where((label == 1) & (rng.random(rows) >= share_missed), 0.9, 0.02)
    known_ms = end_ms - HOUR_MS + np.arange(rows)
    return matured(known_ms - 7 * DAY_MS, label, score, known_ms)


def play(policy: LossAlarm, shares: list[float], seed: int = 0) -> dict[int, Retrain]:
    """What it asks for; keyed by the number of the hour that ended."""
    rng, found = np.random.default_rng(seed), {}
    for hour, share in enumerate(shares, start=1):
        end_ms = day(70) + hour * HOUR_MS
        wanted = policy.decide(moment(end_ms, matured=outcomes(rng, end_ms, share)))
        if wanted is not None:
            found[hour] = wanted
    return found


def test_a_steady_loss_raises_no_alarm():
    assert [play(LossAlarm(world()), [0.2] * 300, seed) for seed in range(3)] == [{}, {}, {}]


def test_a_risen_loss_asks_within_a_day_and_once_more_a_week_later():
    found = play(LossAlarm(world()), [0.0] * 100 + [0.8] * 300)
    first, second = found
    assert 100 < first <= 124
    assert second == first + 7 * 24
    alarm_ms = day(70) + first * HOUR_MS
    assert found[first] == Retrain(alarm_ms - 49 * DAY_MS, alarm_ms - 14 * DAY_MS, why="the loss has risen", gate=True)
    # The second time it may train on what raised the alarm.
    assert found[second].until_ms == alarm_ms - 7 * DAY_MS
    assert found[second].gate


def test_a_fallen_loss_is_no_alarm():
    assert play(LossAlarm(world()), [0.8] * 100 + [0.0] * 300) == {}


def test_rows_without_a_score_or_a_label_dont_count():
    policy = LossAlarm(world())
    assert play(policy, [0.0] * 100) == {}
    for column in ("label", "score"):
        rows = outcomes(np.random.default_rng(1), day(80), 1.0, rows=5_000).assign(**{column: np.nan})
        assert policy.decide(moment(day(80), matured=rows)) is None
    assert policy.decide(moment(day(81))) is None
    assert policy._adwin.width == 20_000


def test_the_order_in_which_a_bucket_came_changes_nothing():
    rng = np.random.default_rng(2)
    rows = pd.concat([outcomes(rng, day(70), 0.0, 3_000), outcomes(rng, day(70) + HOUR_MS, 0.9, 400)], ignore_index=True)
    rows["id"] = [f"m{i:06d}" for i in range(len(rows))]
    estimates = []
    for order in (rows, rows[::-1], rows.sample(frac=1, random_state=3)):
        policy = LossAlarm(world())
        assert policy.decide(moment(day(71), matured=order)) is not None
        estimates.append(policy._adwin.estimation)
    assert len(set(estimates)) == 1


def test_a_shorter_span_of_the_gate_brings_the_second_try_forward():
    found = play(LossAlarm(world(gate_ms=10 * HOUR_MS)), [0.0] * 100 + [0.8] * 50)
    assert len(found) == 2
    assert np.diff(list(found)).tolist() == [10]


def test_of_a_regression_it_watches_the_error_as_a_share_of_the_labels_range():
    rng = np.random.default_rng(4)
    regression = world(schema=REGRESSION, champion_rows=pd.DataFrame({"label": [0.0, 500.0]}))
    label = rng.uniform(0, 500, 4_000)
    error = rng.normal(0, np.repeat([20.0, 100.0], 2_000))
    before, after = (
        matured([day(70)] * 2_000, label[part], (label + error)[part]) for part in (slice(2_000), slice(2_000, None))
    )
    policy = LossAlarm(regression)
    assert policy.decide(moment(day(78), matured=before)) is None
    assert policy._adwin.estimation == pytest.approx(np.abs(error[:2_000]).mean() / 500, rel=1e-6)
    assert policy.decide(moment(day(79), matured=after)) is not None


def test_a_regression_whose_labels_are_all_the_same_is_refused():
    with pytest.raises(ValueError, match="no range"):
        LossAlarm(world(schema=REGRESSION, champion_rows=pd.DataFrame({"label": [3.0, 3.0]})))
