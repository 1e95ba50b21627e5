"""Event times that are wrong by the time of arrival: known answers, and nothing where nobody noted it."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from streams.contracts.summaries import InputSummary
from streams.detectors import requests_clock
from streams.detectors.base import BucketView, Detector
from streams.detectors.checks import World, setup_of
from streams.statistics.arrivals import count_arrivals

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000


def opened() -> Detector:
    return requests_clock.open_detector(setup_of(World(0)))


def arrived(*behind_ms: int, late: int = 0) -> BucketView:
    """A bucket whose event times lie so far behind their arrival."""
    view = World(0).view(0)
    assert view.inputs is not None
    arrivals = count_arrivals(np.array(behind_ms, np.int64)).tolist()
    return view._replace(inputs=msgspec.structs.replace(view.inputs, rows=len(behind_ms), late=late, arrivals=arrivals))


def angle(hits: int, rows: int) -> float:
    ends = [math.asin(math.sqrt((count + 0.375) / (rows + 0.75))) for count in (hits, 0)]
    return 2 * (ends[0] - ends[1])


def test_the_mean_bin_the_share_ahead_and_the_share_that_is_late_are_followed() -> None:
    detector = opened()
    assert [(signal.name, signal.rises_only, signal.reference, signal.floor) for signal in detector.signals] == [
        ("requests: behind", False, 0.0, 0.1),
        ("requests: ahead", True, 0.0, 0.02),
        ("requests: late", True, 0.0, 0.02),
    ]
    assert {signal.kind for signal in detector.signals} == {"data_quality"}
    usual = detector.read(arrived(0, 500, 2 * SECOND, 2 * SECOND))
    assert usual.level.tolist() == pytest.approx([3.5, 0, 0])
    assert usual.rows.tolist() == [4, 4, 4]
    fast = detector.read(arrived(-2 * MINUTE, -2 * HOUR, -MINUTE, 0))
    assert fast.level.tolist() == pytest.approx([(1 + 0 + 2 + 3) / 4, angle(2, 4), 0])
    assert fast.effect.tolist() == pytest.approx([1.5, 0.5, 0])
    slow = detector.read(arrived(2 * HOUR, 2 * HOUR, 2 * HOUR, late=12))
    assert slow.effect.tolist() == pytest.approx([8, 0, 0.8])
    assert slow.level.tolist() == pytest.approx([8, 0, angle(12, 15)])
    assert slow.rows.tolist() == [3, 3, 15]


def test_what_is_shown_is_of_all_buckets() -> None:
    views = [arrived(-2 * MINUTE, 0, 0, late=1), arrived(2 * HOUR), arrived()._replace(inputs=None)]
    before, after = opened().sketch(2, views)
    assert before == {}
    assert after == {"ahead by a minute": 0.25, "behind by an hour": 0.25, "late": 0.2, "rows": 4.0}


def test_where_nobody_noted_arrivals_nothing_is_said_of_them() -> None:
    """Not even of late rows: a log has none, whatever came when."""
    view, detector = arrived(0, 0, late=5), opened()
    told = msgspec.to_builtins(view.inputs)
    del told["arrivals"]
    old = view._replace(inputs=msgspec.convert(told, InputSummary))
    for unknown in (old, arrived(), view._replace(inputs=None)):
        found = detector.read(unknown)
        assert np.isnan(found.level).all()
        assert found.rows.tolist() == [0, 0, 0]
    nothing = {"ahead by a minute": 0.0, "behind by an hour": 0.0, "late": 0.0, "rows": 0.0}
    assert detector.sketch(0, [old]).after == nothing
