"""Who knows the future, and who only repeats the past."""

import numpy as np
import pandas as pd
import pytest

from streams.contracts.features import Window
from tests.bench.closed_loop.policies.base import Policy, Retrain
from tests.bench.closed_loop.policies.last_label import last_label_scores
from tests.bench.closed_loop.policies.oracle import Oracle
from tests.bench.closed_loop.policies.oracle_feature import OracleFeature
from tests.unit.bench_loop.policy_world import COUNTS, HOUR_MS, day, matured, moment, world

PLANTED = Window(aggregate="count", source="requests", by=("customer_id",), range_ms=600_000)


def play(policy: Policy, sizes: list[int], before: int = 0) -> dict[int, Retrain]:
    """What it asks for, by bucket; of each bucket's rows the first `before` are from before the onset on day 77."""
    found = {}
    for number, size in enumerate(sizes):
        rows = matured([day(77) - 1] * before + [day(77)] * (size - before))
        wanted = policy.decide(moment(day(84) + number * HOUR_MS, matured=rows))
        if wanted is not None:
            found[number] = wanted
    return found


def test_the_oracle_refits_at_500_and_twice_as_many_labelled_rows_on_rows_after_the_onset():
    found = play(Oracle(world(onset_ms=day(77))), [499, 1, 499, 1, 999])
    assert found == {
        1: Retrain(day(77), day(84) + HOUR_MS, why="500 labelled rows after the change"),
        3: Retrain(day(77), day(84) + 3 * HOUR_MS, why="1000 labelled rows after the change"),
    }


def test_rows_from_before_the_onset_dont_count():
    assert list(play(Oracle(world(onset_ms=day(77))), [400] * 4, before=200)) == [2]


def test_a_bucket_that_brings_several_numbers_gives_one_refit():
    found = play(Oracle(world(onset_ms=day(77))), [5_000, 5_000])
    assert [wanted.why for wanted in found.values()] == [f"{rows} labelled rows after the change" for rows in (4_000, 8_000)]


def test_where_nothing_happens_the_oracle_does_nothing():
    assert play(Oracle(world()), [5_000, 5_000]) == {}


def test_the_oracle_with_the_feature_adds_it_to_the_champions_windows():
    found = play(OracleFeature(world(onset_ms=day(77), planted=PLANTED)), [500, 100])
    assert [wanted.windows for wanted in found.values()] == [(COUNTS, PLANTED)]


def test_the_oracle_with_the_feature_cant_play_where_none_is_planted():
    with pytest.raises(ValueError, match="no feature is planted"):
        OracleFeature(world(onset_ms=day(77)))


def test_the_last_label_is_the_newest_one_known_before_a_rows_time():
    rows = pd.DataFrame(
        {
            "time_ms": np.array([0, 10, 20, 30, 40, 50]),
            "told": [1.0, 0.0, 1.0, 0.0, np.nan, 1.0],
            # The second label overtakes the first, the fourth is never known; the fifth is known but untold.
            "known_ms": [20.0, 15.0, 45.0, np.nan, 41.0, 99.0],
        }
    )
    assert last_label_scores(rows).tolist() == pytest.approx([np.nan, np.nan, 0.0, 1.0, 1.0, 1.0], nan_ok=True)


def test_of_labels_that_became_known_together_the_later_rows_counts():
    rows = pd.DataFrame({"time_ms": np.array([0, 1, 2]), "told": [1.0, 0.0, 1.0], "known_ms": [2.0, 2.0, 9.0]})
    assert last_label_scores(rows).tolist() == pytest.approx([np.nan, np.nan, np.nan], nan_ok=True)
    rows["time_ms"] = [0, 1, 3]
    assert last_label_scores(rows)[2] == 0.0
