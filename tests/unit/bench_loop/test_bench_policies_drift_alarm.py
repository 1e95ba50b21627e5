"""The alarm on inputs: silent while nothing differs, awake when anything does, also where nothing is wrong."""

import numpy as np
import pandas as pd
import pytest

from tests.bench.closed_loop.policies.base import DAY_MS, Retrain
from tests.bench.closed_loop.policies.drift_alarm import DriftAlarm
from tests.unit.bench_loop.policy_world import HOUR_MS, day, moment, requests, world

# 1,200 rows a day: a test looks at one day.
CHAMPION_ROWS = requests(np.random.default_rng(1), day(28), day(63), 42_000)


def play(policy: DriftAlarm, rows: pd.DataFrame, first: int, last: int) -> dict[int, Retrain]:
    """What it asks for at hourly moments; keyed by epoch ms."""
    found = {}
    for end_ms in range(day(first) + HOUR_MS, day(last) + 1, HOUR_MS):
        bucket = rows[rows["time_ms"].between(end_ms - HOUR_MS, end_ms, inclusive="left")]
        wanted = policy.decide(moment(end_ms, requests=bucket))
        if wanted is not None:
            found[end_ms] = wanted
    return found


def drift_alarm(seed: int = 0, champion_rows: pd.DataFrame = CHAMPION_ROWS) -> DriftAlarm:
    return DriftAlarm(world(champion_rows=champion_rows), np.random.default_rng(seed))


def test_stationary_inputs_seldom_raise_an_alarm():
    rows = requests(np.random.default_rng(5), day(70), day(100), 30_000)
    # Thirty days at 5 % a day, with a week of silence after each: more than three would be one chance in a thousand.
    assert len(play(drift_alarm(), rows, 70, 100)) <= 3


def test_a_moved_number_raises_an_alarm_again_after_a_week_of_silence_and_no_gate_is_asked_for():
    rows = requests(np.random.default_rng(5), day(70), day(80), 10_000)
    rows.loc[rows["time_ms"] >= day(72), "amount"] += 10.0
    found = play(drift_alarm(), rows, 70, 80)
    assert set(found) == {day(d) for d in (73, 80)}
    assert found[day(73)] == Retrain(day(73 - 42), day(73 - 7), why="inputs differ: amount")


@pytest.mark.parametrize("channel", ["fax", "phone"])
def test_an_unseen_or_a_rare_category_on_every_row_raises_an_alarm(channel: str):
    rows = requests(np.random.default_rng(5), day(70), day(71), 1_000, channel=channel)
    assert play(drift_alarm(), rows, 70, 71)[day(71)].why == "inputs differ: channel"


def test_a_test_waits_for_the_days_that_a_thousand_rows_take():
    rng = np.random.default_rng(5)
    slow = requests(rng, day(0), day(63), 48 * 63)
    rows = requests(rng, day(70), day(160), 48 * 90, amount=150.0)
    # Ends of spans are multiples of 21 days; the one at day 84 has rows since day 70, and three spans are silent.
    assert set(play(drift_alarm(champion_rows=slow), rows, 70, 160)) == {day(84), day(147)}


def test_only_features_are_tested():
    rows = requests(np.random.default_rng(5), day(70), day(71), 1_000, customer_id="somebody else")
    assert play(drift_alarm(), rows, 70, 71) == {}


def test_missing_values_are_left_out_and_a_day_with_too_few_says_nothing():
    rng = np.random.default_rng(5)
    rows = requests(rng, day(70), day(71), 1_000)
    rows.loc[rows.index % 3 == 0, ["amount"]] = np.nan
    rows.loc[rows.index % 3 == 0, ["channel"]] = None
    assert play(drift_alarm(), rows, 70, 71) == {}
    assert play(drift_alarm(), requests(rng, day(70), day(71), 29, amount=1e6), 70, 71) == {}
    assert play(drift_alarm(), rows[:0], 70, 71) == {}


def test_a_day_is_tested_on_its_own_rows_whatever_the_buckets():
    rows = requests(np.random.default_rng(5), day(70), day(73), 3_000)
    # Every day has the reference's own quantiles, so that no alarm comes by chance.
    reference = CHAMPION_ROWS.sort_values("amount")[::42]
    rows[["amount", "channel"]] = np.concatenate([reference[["amount", "channel"]].to_numpy()] * 3)
    rows["amount"] = rows["amount"].astype("float64")
    rows["time_ms"] = np.concatenate([np.linspace(day(d), day(d + 1) - 1, 1_000).astype("int64") for d in (70, 71, 72)])
    rows.loc[rows["time_ms"].between(day(71), day(72), inclusive="left"), "amount"] += 50.0
    policy = drift_alarm()
    buckets = [rows[rows["time_ms"] < day(71.7)], rows[rows["time_ms"] >= day(71.7)]]
    first = policy.decide(moment(day(71.7), requests=buckets[0]))
    second = policy.decide(moment(day(72.5), requests=buckets[1]))
    third = policy.decide(moment(day(73), requests=rows[:0]))
    assert (first, third) == (None, None)
    assert second is not None
    assert second.until_ms == day(72) - 7 * DAY_MS


def test_it_draws_5000_rows_of_the_reference_and_the_same_with_the_same_seed():
    rows = requests(np.random.default_rng(5), day(70), day(90), 20_000)
    rows["amount"] += 2.0
    answers = [play(drift_alarm(seed), rows, 70, 90) for seed in (3, 3)]
    assert answers[0] == answers[1]
    assert {len(one._values) for one in drift_alarm()._references} == {5_000}
