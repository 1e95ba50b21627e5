"""River's sequential detectors: what they are fed, how long a rise lasts, and that chance doesn't reach them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from types import ModuleType

import msgspec
import numpy as np
import pytest

from streams.contracts.summaries import FIXED, SCORE_BINS
from streams.detectors import errors_ddm, errors_hddm_a, errors_hddm_w, loss_kswin, loss_page_hinkley
from streams.detectors._river import Errors, MeanLoss, Rise
from streams.detectors.base import BucketView
from streams.detectors.checks import World, setup_of
from streams.statistics.skew import unskewed

OF_LOSSES = [loss_page_hinkley, loss_kswin]
OF_ERRORS = [errors_ddm, errors_hddm_a, errors_hddm_w]
ROWS = 400


def world_of(wrong: float = 0.1, skew: float = 0.0) -> World:
    """A world whose reference has so large a share of wrong answers."""
    world = World(6)
    positives, negatives = answers(round(wrong * 10_000), 10_000)
    world.profile = msgspec.structs.replace(world.profile, positives=positives, negatives=negatives, loss_skew=skew)
    return world


def answers(wrong: int, rows: int) -> tuple[list[int], list[int]]:
    """Histograms of positives and negatives, half of the wrong answers of either sort."""
    positives, negatives = [0] * SCORE_BINS, [0] * SCORE_BINS
    positives[99], negatives[100] = wrong // 2, wrong - wrong // 2
    positives[100], negatives[99] = (rows - wrong) // 2, rows - wrong - (rows - wrong) // 2
    return positives, negatives


def bucket(world: World, index: int, *, wrong: int = 0, rows: int = ROWS, loss: float = 0.0) -> BucketView:
    """A bucket with so many wrong answers, and a mean loss in reference deviations from the reference's."""
    positives, negatives = answers(wrong, rows)
    mean = world.profile.loss_mean + loss * world.profile.loss_std
    view = world.view(index, rows=1)
    assert view.losses is not None
    changes = {"rows": rows, "loss": round(rows * mean * FIXED), "positives": positives, "negatives": negatives}
    return view._replace(losses=msgspec.structs.replace(view.losses, **changes))


def shares_of_errors(world: World, shares: Iterable[float]) -> list[BucketView]:
    rng = np.random.default_rng(8)
    return [bucket(world, index, wrong=int(rng.binomial(ROWS, share))) for index, share in enumerate(shares)]


def mean_losses(world: World, levels: Iterable[float]) -> list[BucketView]:
    rng = np.random.default_rng(8)
    return [bucket(world, index, loss=level + float(rng.normal()) / math.sqrt(ROWS)) for index, level in enumerate(levels)]


def fed(errors: Errors, view: BucketView) -> list[float]:
    assert view.losses is not None
    return list(errors.fed(view.losses).values)


def test_errors_are_spread_evenly_and_none_is_lost() -> None:
    world = world_of()
    errors = Errors(setup_of(world), "x")
    assert fed(errors, bucket(world, 0, wrong=2, rows=8)) == [0, 1, 0, 0, 0, 1, 0, 0]
    assert fed(errors, bucket(world, 1, wrong=0, rows=5)) == [0] * 5
    assert fed(errors, bucket(world, 2, wrong=3, rows=3)) == [1, 1, 1]
    # A thousand rows are fed as 200; 7 of 1,000 are 1.4 errors, and what is left over comes later.
    many = [fed(errors, bucket(world, 3 + number, wrong=7, rows=1_000)) for number in range(5)]
    assert [len(values) for values in many] == [200] * 5
    assert [sum(values) for values in many] == [1, 2, 1, 2, 1]


def test_an_error_lies_on_the_wrong_side_of_the_threshold() -> None:
    world = World(6)
    positives, negatives = [0] * SCORE_BINS, [0] * SCORE_BINS
    positives[59], negatives[59], positives[60], negatives[60] = 1, 10, 100, 1_000
    world.profile = msgspec.structs.replace(world.profile, positives=positives, negatives=negatives)
    for threshold, wrong in ((0.3, 1_001), (0.301, 1_001), (0.304, 101), (0.2, 1_010), (0.9, 101)):
        world.manifest = msgspec.structs.replace(world.manifest, threshold=threshold)
        assert Errors(setup_of(world), "x").shown(0.0)["share"] == pytest.approx(wrong / 1_111)


def test_a_mean_loss_is_fed_in_standard_errors_less_its_skew() -> None:
    for skew, rows in ((0.0, 400), (3.0, 100)):
        world = world_of(skew=skew)
        view = bucket(world, 0, rows=rows, loss=0.2)
        assert view.losses is not None
        found = MeanLoss(setup_of(world), "x").fed(view.losses)
        deviate = 0.2 * math.sqrt(rows)
        expected = unskewed(np.array([deviate]), np.array([skew / math.sqrt(rows)]))
        assert found.values == pytest.approx(expected, abs=1e-4)
        assert (found.values[0] < deviate - 0.05) == (skew > 0)
        assert found.mean == pytest.approx(0.2, abs=1e-5)


class Told:
    """Sees a change at the values that it is told."""

    def __init__(self, *at: int) -> None:
        self._at, self._seen = at, 0

    @property
    def drift_detected(self) -> bool:
        return self._seen in self._at

    def update(self, x: float) -> None:
        self._seen += 1


def course(levels: list[float], *at: int, newest: int = 2) -> list[tuple[float, float]]:
    """Levels and effects of mean losses, when a change is seen at such buckets."""
    world = world_of()
    rise = Rise(MeanLoss(setup_of(world), "x"), Told(*at), newest)
    found = [rise.read(bucket(world, index, loss=level)) for index, level in enumerate(levels)]
    return [(float(one.level[0]), round(float(one.effect[0]), 3)) for one in found]


def test_a_rise_lasts_from_when_it_is_seen_until_the_newest_buckets_are_as_before() -> None:
    assert course([0.0, 0.1, 0.5, 0.5, 0.5, 0.3, 0.0, 0.0, 0.0], 4) == [
        *[(0.0, 0.0)] * 3,
        (12.0, 0.45),
        (12.0, 0.45),
        (12.0, 0.35),
        (12.0, 0.1),
        (0.0, 0.0),
        (0.0, 0.0),
    ]


def test_a_fall_is_no_rise_and_neither_is_a_change_within_the_floor() -> None:
    assert {level for level, _ in course([0.5, 0.5, 0.1, 0.1], 4)} == {0.0}
    assert {level for level, _ in course([0.01, 0.01, 0.04, 0.04], 4)} == {0.0}
    # Up from a level that was lower than the reference, and no higher than that now.
    assert {level for level, _ in course([-0.5, -0.5, 0.02, 0.02], 4)} == {0.0}


def test_a_change_in_the_very_first_bucket_has_nothing_before_it() -> None:
    assert course([0.5, 0.5], 1) == [(0.0, 0.0), (0.0, 0.0)]


def test_a_second_change_while_a_rise_lasts_keeps_what_was_before_it() -> None:
    assert course([0.0, 0.0, 0.5, 0.5, 1.0, 1.0], 4, 6)[3:] == [(12.0, 0.5), (12.0, 0.75), (12.0, 1.0)]


@pytest.mark.parametrize("kind", [*OF_LOSSES, *OF_ERRORS])
def test_a_rise_is_seen_and_shown_and_over_when_it_is_over(kind: ModuleType) -> None:
    world = world_of(0.1)
    if kind in OF_LOSSES:
        views = mean_losses(world, [0.0] * 60 + [0.3] * 30 + [0.0] * 40)
    else:
        views = shares_of_errors(world, [0.1] * 60 + [0.35] * 30 + [0.1] * 40)
    detector = kind.open_detector(setup_of(world))
    (signal,) = detector.signals
    readings = [detector.read(view) for view in views[:90]]
    shown = detector.sketch(0, [])
    readings += [detector.read(view) for view in views[90:]]
    said = [bool(one.level[0]) for one in readings]
    assert not any(said[:60])
    first = said.index(True)
    assert first < 85
    assert all(said[first:90])
    assert not any(said[101:])
    assert all(one.effect[0] >= signal.floor for one in readings if one.level[0])
    if kind in OF_LOSSES:
        before, after = ((part["mean"] - world.profile.loss_mean) / world.profile.loss_std for part in shown)
        assert (before, after) == (pytest.approx(0.0, abs=0.05), pytest.approx(0.3, abs=0.05))
        assert (signal.kind, signal.watched) == ("loss_drift", "loss")
    else:
        assert (shown.before["share"], shown.after["share"]) == (pytest.approx(0.1, abs=0.03), pytest.approx(0.35, abs=0.03))
        assert (signal.kind, signal.watched) == ("performance", "errors")


@pytest.mark.parametrize("kind", [*OF_LOSSES, *OF_ERRORS])
def test_a_fall_is_no_alarm(kind: ModuleType) -> None:
    world = world_of(0.35)
    views = (
        mean_losses(world, [0.0] * 30 + [-0.5] * 30) if kind in OF_LOSSES else shares_of_errors(world, [0.35] * 30 + [0.1] * 30)
    )
    detector = kind.open_detector(setup_of(world))
    assert not any(detector.read(view).level[0] for view in views)


@pytest.mark.parametrize("kind", [*OF_LOSSES, *OF_ERRORS])
def test_few_outcomes_say_nothing_and_without_a_reference_nothing_is_followed(kind: ModuleType) -> None:
    world = world_of()
    detector = kind.open_detector(setup_of(world))
    assert np.isnan(detector.read(bucket(world, 0, rows=29)).level).all()
    assert detector.read(bucket(world, 1, rows=30)).rows.tolist() == [1]
    world.profile = msgspec.structs.replace(world.profile, positives=[], negatives=[], loss_std=0.0)
    nothing = kind.open_detector(setup_of(world))
    assert list(nothing.signals) == []
    assert nothing.read(bucket(world, 0)).level.shape == (0,)


@pytest.mark.parametrize(("above", "level"), [(13, 12.0), (12, 0.0)])
def test_kswin_asks_for_thirteen_of_fifteen(above: int, level: float) -> None:
    """Thirteen of the last fifteen lie above all before: a chance of 5.6e-6; twelve have one of 5.2e-5."""
    world = world_of()
    levels = [0.001 * index for index in range(15)] + [-1.0] * (15 - above) + [1.0 + 0.001 * index for index in range(above)]
    detector = loss_kswin.open_detector(setup_of(world))
    found = [detector.read(bucket(world, index, loss=loss)).level[0] for index, loss in enumerate(levels)]
    assert not any(found[:-1])
    assert found[-1] == level


def test_page_hinkley_adds_up_what_lies_half_a_standard_error_above_the_mean_so_far() -> None:
    world = world_of()
    levels = [0.0] * 20 + [0.2] * 10
    detector = loss_page_hinkley.open_detector(setup_of(world))
    found = [bool(detector.read(bucket(world, index, loss=level)).level[0]) for index, level in enumerate(levels)]
    total, expected = 0.0, []
    values = [level * math.sqrt(ROWS) for level in levels]
    for index, value in enumerate(values):
        total = max(total + value - sum(values[: index + 1]) / (index + 1) - 0.5, 0.0)
        expected.append(total > 12)
    assert found.index(True) == expected.index(True) == 23


def test_ddm_waits_for_a_hundred_errors() -> None:
    """At a hundredth of the rows, a beginning without errors would be the best for ever."""
    world = world_of(0.01)
    detector = errors_ddm.open_detector(setup_of(world))
    counts = [0] * 5 + [4] * 60
    views = [bucket(world, index, wrong=wrong) for index, wrong in enumerate(counts)]
    assert not any(detector.read(view).level[0] for view in views)


@pytest.mark.parametrize("kind", [*OF_LOSSES, *OF_ERRORS])
def test_chance_is_not_seen_in_a_thousand_buckets(kind: ModuleType) -> None:
    """Half of the answers are wrong, where shares vary most."""
    world = world_of(0.5)
    views = mean_losses(world, [0.0] * 1_000) if kind in OF_LOSSES else shares_of_errors(world, [0.5] * 1_000)
    detector = kind.open_detector(setup_of(world))
    assert not any(detector.read(view).level[0] for view in views)
