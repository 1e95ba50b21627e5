"""What is said of how requests are served: known answers, and nothing where nobody counted."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from streams.contracts.summaries import InputSummary
from streams.detectors import requests_rejected, serving_latency
from streams.detectors.base import BucketView, Detector, Requests
from streams.detectors.checks import DAY_MS, World, setup_of
from streams.statistics.waits import count_waits


def arrived(day: int, requests: Requests | None) -> BucketView:
    """A bucket of which nothing is known but what came."""
    return BucketView("m", "d", day * DAY_MS, (day + 1) * DAY_MS, None, None, requests)


def rejecting(world: World) -> Detector:
    return requests_rejected.open_detector(setup_of(world))


# Records that are rejected


def test_rejected_records_are_a_share_of_all_that_came() -> None:
    world = World(0)
    detector = rejecting(world)
    ((signal,),) = [detector.signals]
    expected = 0.5 / (world.profile.rows + 1)
    assert (signal.kind, signal.name, signal.rises_only, signal.reference) == ("serving", "requests: rejected", True, 2_000)
    assert (signal.share, signal.floor) == (expected, 0.02)
    views = [arrived(0, Requests(900, 0, 0)), arrived(1, Requests(900, 700, 300))]
    calm, broken = map(detector.read, views)
    assert calm.level[0] == pytest.approx(0, abs=1 / math.sqrt(900))
    assert calm.rows.tolist() == [900]
    assert broken.rows.tolist() == [1_200], "suspect rows are among the rows, rejected records are not"
    assert broken.effect[0] == pytest.approx(0.25 - expected)
    angles = [math.asin(math.sqrt((hits + 0.375) / 1_200.75)) for hits in (300, 1_200 * expected)]
    assert broken.level[0] == pytest.approx(2 * (angles[0] - angles[1]))
    assert detector.sketch(0, [*views, arrived(2, None)]) == ({"share": 0.0}, {"share": 1 / 7, "rows": 2_100.0})


def test_where_nobody_knows_of_rejected_records_nothing_is_said() -> None:
    """A log holds none, whatever was rejected."""
    detector = rejecting(World(0))
    for unknown in (None, Requests(900, 0), Requests(900, None, None)):
        found = detector.read(arrived(0, unknown))
        assert np.isnan(found.level).all()
        assert found.rows.tolist() == [0]
    assert detector.sketch(0, [arrived(0, Requests(900, 0))]).after == {"share": 0.0, "rows": 0.0}
    assert detector.sketch(0, []).after == {"share": 0.0, "rows": 0.0}


# How long answers take


def answered(world: World, *waits_ms: int) -> BucketView:
    """A bucket whose answers took so long."""
    view = world.view(0)
    assert view.inputs is not None
    return view._replace(inputs=msgspec.structs.replace(view.inputs, waits=count_waits(np.array(waits_ms, np.int64)).tolist()))


def test_answers_are_followed_by_the_logarithm_of_their_time_and_the_share_of_a_second() -> None:
    world = World(0)
    detector = serving_latency.open_detector(setup_of(world))
    assert [(signal.kind, signal.name, signal.rises_only, signal.reference) for signal in detector.signals] == [
        ("serving", "answers: time", True, 0.0),
        ("serving", "answers: slow", True, 0.0),
    ]
    assert [signal.floor for signal in detector.signals] == [0.58, 0.02]
    views = [answered(world, 8, 64), answered(world, 16, 128), answered(world, 16, 16, 1_023, 1_024)]
    first, doubled, slow = map(detector.read, views)
    # The middle of a bin is an eighth of a doubling above where it begins: there are four in each.
    assert first.level.tolist() == pytest.approx([(3 + 6) / 2 + 1 / 8, 0])
    assert first.rows.tolist() == [2, 2]
    assert (doubled.level - first.level).tolist() == pytest.approx([1, 0])
    assert slow.effect.tolist() == pytest.approx([(4 + 4 + 9.75 + 10) / 4 + 1 / 8, 0.25])
    angles = [math.asin(math.sqrt((hits + 0.375) / 4.75)) for hits in (1, 0)]
    assert slow.level[1] == pytest.approx(2 * (angles[0] - angles[1]))
    before, after = detector.sketch(1, [*views, answered(world)])
    assert before == {}
    assert after == {
        "p50_ms": pytest.approx(16, rel=0.1), "p99_ms": pytest.approx(1_024, rel=0.1), "slow": 1 / 8, "rows": 8.0
    }  # fmt: skip


def test_where_nobody_noted_or_counted_times_nothing_is_said_of_answers() -> None:
    world = World(0)
    detector, view = serving_latency.open_detector(setup_of(world)), world.view(0)
    assert view.inputs is not None
    told = msgspec.to_builtins(view.inputs)
    del told["waits"]
    old = view._replace(inputs=msgspec.convert(told, InputSummary))
    for unknown in (old, answered(world), view._replace(inputs=None)):
        found = detector.read(unknown)
        assert np.isnan(found.level).all()
        assert found.rows.tolist() == [0, 0]
    assert detector.sketch(0, [old]).after == {"p50_ms": 0.0, "p99_ms": 0.0, "slow": 0.0, "rows": 0.0}
