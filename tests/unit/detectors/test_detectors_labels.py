"""How long labels take, worked out by hand; and that chance makes of it what the detector says."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from streams.contracts.bundle import Normal, Usual
from streams.detectors import labels_delay
from streams.detectors.base import BucketView, Detector
from streams.detectors.checks import DAY_MS, World, setup_of
from streams.statistics.skew import unskewed

HOUR_MS = 3_600_000


def opened(world: World, normal: Normal | None = None) -> Detector:
    world.profile = msgspec.structs.replace(world.profile, normal=normal)
    return labels_delay.open_detector(setup_of(world))


def delayed(world: World, rows: int, delay_ms: int, day: int = 0) -> BucketView:
    view = world.view(day)
    assert view.losses is not None
    return view._replace(losses=msgspec.structs.replace(view.losses, rows=rows, delay_ms=delay_ms))


def test_the_mean_delay_is_followed_in_powers_of_two() -> None:
    world = World(1)
    detector = opened(world)
    ((signal,),) = [detector.signals]
    assert (signal.kind, signal.name, signal.rises_only, signal.reference) == ("data_quality", "labels: delay", True, 0.0)
    assert signal.floor == pytest.approx(math.log2(1.5), abs=0.01)
    usual, later = (detector.read(delayed(world, 4, hours * HOUR_MS)) for hours in (8, 24))
    assert usual.level == pytest.approx(math.log(2 * HOUR_MS))
    assert usual.rows.tolist() == [4]
    assert later.effect - usual.effect == pytest.approx(math.log2(3))
    assert usual.effect == pytest.approx(signal.scale * usual.level)


def test_labels_that_take_no_time_or_never_came_have_no_delay() -> None:
    world = World(1)
    detector, told = opened(world), delayed(world, 4, 8 * HOUR_MS)
    unknown = [delayed(world, *counted) for counted in ((4, 0), (4, -5), (0, 0), (0, 5))]
    unknown.append(told._replace(losses=None))
    for view in unknown:
        found = detector.read(view)
        assert np.isnan(found.level).all()
        assert found.rows.tolist() == [0]
    assert detector.sketch(0, [*unknown, told]).after == {"hours": 2.0, "rows": 4.0}
    assert detector.sketch(0, unknown) == ({}, {"hours": 0.0, "rows": 0.0})


def test_what_is_shown_are_hours_over_all_labels_and_those_that_are_usual_then() -> None:
    world = World(1)
    usual = Usual(level=math.log(3 * HOUR_MS), weekday=[math.log(2), *[0.0] * 6], rows=1.0, buckets=9)
    normal = Normal(
        bucket_ms=DAY_MS, since_ms=0, until_ms=1, buckets=99, confirm_after=2, clear_after=3, level=1.0, rate=0.01, excess=0.4,
        signals={"labels_delay": {"labels: delay": usual}},
    )  # fmt: skip
    detector = opened(world, normal)
    views = [delayed(world, 1, 7 * HOUR_MS, day=7), delayed(world, 3, 15 * HOUR_MS, day=8)]
    assert detector.sketch(0, views[:1]).before == {"hours": pytest.approx(6)}
    before, after = detector.sketch(0, views)
    assert before == {"hours": pytest.approx(math.sqrt(6 * 3))}
    assert after == {"hours": 5.5, "rows": 4.0}
    unmeasured = msgspec.structs.replace(normal, signals={"labels_delay": {"labels: delay": Usual(rows=1.0, buckets=0)}})
    assert opened(world, unmeasured).sketch(0, views).before == {}


@pytest.mark.parametrize("rows", [30, 600])
def test_means_of_exponential_times_are_as_surprising_as_normal_deviates(rows: int) -> None:
    """Level, rows and skewness together: otherwise thin buckets would alarm by chance more often than thick ones."""
    world = World(1)
    detector, generator = opened(world), np.random.default_rng(rows)
    sums = generator.gamma(rows, DAY_MS, 20_000).astype(np.int64).tolist()
    view = world.view(0)
    assert view.losses is not None
    views = (view._replace(losses=msgspec.structs.replace(view.losses, rows=rows, delay_ms=total)) for total in sums)
    level = np.array([detector.read(one).level[0] for one in views])
    skewness = np.full(len(level), detector.signals[0].skewness / math.sqrt(rows))
    surprises = unskewed((level - level.mean()) * math.sqrt(rows), skewness)
    assert surprises.std() == pytest.approx(1, abs=0.03)
    for side in (surprises, -surprises):
        assert 0.007 < (side > 2.33).mean() < 0.013
