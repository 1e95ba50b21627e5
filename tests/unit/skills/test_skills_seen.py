"""The seasons of scores are learnt from rows that the model was made of, and their level from those that it hadn't seen."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from skills._kit.seen import as_served
from skills._kit.usual import Later, Rows, Watch, normal_of
from streams.contracts.bundle import Usual
from streams.detectors.checks import DAY_MS, World

A_DAY, DAYS, UNSEEN = 200, 70, 6
WATCH = Watch(
    bucket_ms=DAY_MS, detectors=("feature_scores", "score_scores"), confirm_after=2, clear_after=3, alarm_rate=0.01, min_rows=20
)


def learnt(*, with_seen: bool, apart: float = 0.0) -> dict[str, dict[str, Usual]]:
    """What is usual of scores that are higher at weekends; those that the model had seen are higher still by `apart`."""
    world, number = World(0), A_DAY * DAYS
    drawn = np.random.default_rng(1).integers(0, world.reference.num_rows, number)
    time_ms = np.arange(number, dtype=np.int64) * (DAY_MS // A_DAY)
    usual = np.sort(np.asarray(world.profile.score.sample))
    places = np.random.default_rng(2).uniform(size=number) ** np.where(time_ms // DAY_MS % 7 >= 5, 0.5, 1.0)
    scores = np.quantile(usual, places)
    begins = number - UNSEEN * A_DAY
    later = Later(time_ms[begins:], time_ms[begins:], np.zeros(number - begins), scores[begins:])
    table = world.reference.take(pa.array(drawn)).append_column("time_ms", pa.array(time_ms))
    rows = Rows(table, later, scores[:begins] + apart if with_seen else None)
    normal = normal_of(WATCH, world.manifest, world.profile, rows, 0)
    assert normal is not None
    return normal.signals


def test_the_first_sunday_is_no_news() -> None:
    """Days are counted from the first of 1970, a Thursday."""
    (alone, known) = (learnt(with_seen=one)["score_scores"]["score: location"] for one in (False, True))
    assert alone.weekday == [], "of six days nothing is known of weekends"
    weekend, others = np.array(known.weekday)[5:7], np.array(known.weekday)[:5]
    assert weekend.min() > others.max() + 0.3
    assert known.buckets == alone.buckets == UNSEEN, "how it varies is learnt from what the model hadn't seen"


def test_how_much_better_a_model_does_on_what_it_had_seen_is_no_level() -> None:
    near, far = (learnt(with_seen=True, apart=one)["score_scores"]["score: location"] for one in (0.0, 0.02))
    assert far.level == pytest.approx(near.level, abs=0.05)


def test_nothing_else_is_learnt_of_them() -> None:
    assert learnt(with_seen=True)["feature_scores"] == learnt(with_seen=False)["feature_scores"]


def test_scores_are_spread_as_served_and_placed_as_by_a_model_that_had_not_seen_them() -> None:
    generator = np.random.default_rng(0)
    unseen, fitted = generator.random(1_000), generator.random(1_000) ** 2
    served = as_served(unseen, fitted, generator)
    assert np.array_equal(np.sort(served), np.sort(fitted))
    assert np.array_equal(np.argsort(served), np.argsort(unseen))


def test_of_equal_scores_neither_the_later_nor_what_the_other_model_knew_comes_first() -> None:
    generator = np.random.default_rng(0)
    fitted = np.sort(generator.random(4_000))
    served = as_served(np.full(4_000, 0.1), fitted, generator)
    assert abs(np.corrcoef(served, fitted)[0, 1]) < 0.07
    assert abs(np.corrcoef(served, np.arange(4_000))[0, 1]) < 0.07
