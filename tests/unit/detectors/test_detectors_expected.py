"""What is expected without labels, and what slices say: worked out by hand."""

from __future__ import annotations

from types import ModuleType

import msgspec
import numpy as np
import pytest

from streams.contracts.bundle import ScoreOutcomes
from streams.contracts.slices import Slice
from streams.contracts.summaries import FIXED, SliceLosses
from streams.detectors import loss_mean, loss_slices, loss_slices_found, performance_auc, performance_estimated
from streams.detectors._sliced import carriers
from streams.detectors.base import BucketView
from streams.detectors.checks import World, setup_of
from streams.statistics.estimates import Estimator


def counted(world: World, bins: list[int]) -> BucketView:
    view = world.view(0)
    assert view.inputs is not None
    score = msgspec.structs.replace(view.inputs.score, bins=bins)
    return view._replace(inputs=msgspec.structs.replace(view.inputs, score=score), losses=None)


def moved(world: World, rows: int) -> list[int]:
    """The reference's own rows, some of them moved from the ends into the middle, where the model is least sure."""
    assert world.profile.outcomes is not None
    bins = list(world.profile.outcomes.rows)
    for end, middle in ((0, 4), (9, 5)):
        bins[end] -= rows
        bins[middle] += rows
    return bins


def test_effects_are_what_the_estimate_moves_by():
    world = World(1)
    assert world.profile.outcomes is not None
    estimator, bins = Estimator(world.profile.outcomes), moved(world, 20)
    before, after = estimator.estimate(estimator.rows), estimator.estimate(bins)
    assert before is not None
    assert after is not None
    assert before.auc is not None
    assert after.auc is not None
    assert before.accuracy is not None
    assert after.accuracy is not None
    detector = performance_estimated.open_detector(setup_of(world))
    assert [signal.name for signal in detector.signals] == ["loss: rise", "accuracy: fall", "auc: fall"]
    found = detector.read(counted(world, bins))
    assert found.rows.tolist() == [2_000] * 3
    assert found.effect[0] == pytest.approx((after.loss - before.loss) / world.profile.loss_std)
    # Of the area it is what rows add to the first order; a fall of it is a rise of the signal.
    assert found.effect[2] == pytest.approx(before.auc - after.auc, rel=0.05)
    assert found.effect[1] == pytest.approx(before.accuracy - after.accuracy)
    assert (found.effect > 0).all()
    still = detector.read(counted(world, list(world.profile.outcomes.rows)))
    assert still.level == pytest.approx([0.0] * 3, abs=1e-9)
    shown = detector.sketch(1, [counted(world, bins)])
    assert shown.before["estimated_auc"] == pytest.approx(before.auc)
    assert shown.after["estimated_loss"] == pytest.approx(after.loss)


def test_a_level_is_in_deviations_of_a_row():
    """Buckets of single rows, drawn as the reference was, have a variance of 1."""
    world = World(1)
    assert world.profile.outcomes is not None
    shares = np.array(world.profile.outcomes.rows) / world.profile.rows
    detector = performance_estimated.open_detector(setup_of(world))
    levels = np.array([detector.read(counted(world, one.tolist())).level for one in np.eye(10, dtype=np.int64)])
    assert shares @ levels == pytest.approx([0.0] * 3, abs=1e-9)
    assert shares @ levels**2 == pytest.approx([1.0] * 3)


def test_nothing_is_followed_where_outcomes_are_unknown_or_all_alike():
    world = World(1)
    for outcomes in (
        None,
        ScoreOutcomes(rows=[0] * 10, loss=[0.0] * 10),
        ScoreOutcomes(rows=[200] * 10, loss=[0.5] * 10, positives=[100] * 10, right=[100] * 10),
        ScoreOutcomes(rows=[200] * 10, loss=[0.5] * 10, positives=[0] * 9 + [9], right=[200] * 10),
    ):
        world.profile = msgspec.structs.replace(world.profile, outcomes=outcomes)
        detector = performance_estimated.open_detector(setup_of(world))
        assert list(detector.signals) == []
        assert detector.read(world.view(0)).level.shape == (0,)


def test_a_regression_has_no_area():
    detector = performance_estimated.open_detector(setup_of(World(1, "regression")))
    assert [signal.watched for signal in detector.signals] == ["loss"]


def test_each_slice_is_read_by_itself():
    world = World(2)
    warm, large, both = world.profile.slices
    assert [signal.name for signal in loss_slices_found.open_detector(setup_of(world)).signals] == [
        f"slice {both.slice.name}: mean"
    ]
    detector = loss_slices.open_detector(setup_of(world))
    assert [signal.name for signal in detector.signals] == ["slice warm: mean", "slice large: mean"]
    assert [signal.reference for signal in detector.signals] == [warm.rows, large.rows]
    view = world.view(0)
    assert view.losses is not None
    loss = round(40 * (warm.loss_mean + 0.5 * warm.loss_std) * FIXED)
    slices = {"warm": SliceLosses(rows=40, loss=loss, loss_squares=0), "of before": SliceLosses(rows=9, loss=1, loss_squares=1)}
    view = view._replace(losses=msgspec.structs.replace(view.losses, slices=slices))
    found = detector.read(view)
    assert (found.level[0], found.effect[0], found.rows.tolist()) == (pytest.approx(0.5), pytest.approx(0.5), [40, 0])
    assert np.isnan(found.level[1])
    shown = detector.sketch(0, [view, view])
    assert shown.before == {"mean": warm.loss_mean}
    assert shown.after == {"mean": pytest.approx(warm.loss_mean + 0.5 * warm.loss_std, abs=1e-6), "rows": 80.0}


def test_a_slice_of_too_few_rows_is_not_followed():
    world = World(2)
    warm, large, _ = world.profile.slices
    few = msgspec.structs.replace(warm, rows=99)
    still = msgspec.structs.replace(large, loss_std=0.0)
    world.profile = msgspec.structs.replace(world.profile, slices=(few, still))
    detector = loss_slices.open_detector(setup_of(world))
    assert list(detector.signals) == []
    assert detector.read(world.view(0)).level.shape == (0,)


def carried(world: World, means: dict[str, float], rows: int = 200) -> BucketView:
    """A bucket of a thousand rows, the rise of whose loss is 100; so many rows of each slice have the mean loss that is given."""
    view = world.view(0)
    assert view.losses is not None
    slices = {name: SliceLosses(rows=rows, loss=round(rows * mean * FIXED), loss_squares=0) for name, mean in means.items()}
    loss = round((1_000 * world.profile.loss_mean + 100) * FIXED)
    return view._replace(losses=msgspec.structs.replace(view.losses, rows=1_000, loss=loss, slices=slices))


@pytest.mark.parametrize("kind", [loss_mean, performance_auc])
def test_an_alarm_names_the_slices_that_carry_the_rise(kind: ModuleType):
    world = World(2)
    warm, large, _ = world.profile.slices
    risen, still = warm.loss_mean + 0.4, large.loss_mean + large.loss_std / 100
    view = carried(world, {"warm": risen, "large": still})
    before, after = kind.open_detector(setup_of(world)).sketch(0, [view, view])
    assert before["mean of warm"] == warm.loss_mean
    assert after["mean of warm"] == pytest.approx(risen, abs=1e-6)
    assert after["part of the rise in warm"] == pytest.approx(400 * 0.4 / 200, abs=1e-6)
    assert not [name for name in (*before, *after) if "large" in name], "chance alone makes its rise"


def test_without_a_rise_no_slice_carries_it_and_at_most_three_are_named():
    world = World(2)
    warm, *_ = world.profile.slices
    slices = tuple(
        msgspec.structs.replace(warm, slice=Slice(name=f"s{number}", conditions=warm.slice.conditions)) for number in range(5)
    )
    world.profile = msgspec.structs.replace(world.profile, slices=slices)
    means = {one.slice.name: warm.loss_mean + 0.4 + number / 10 for number, one in enumerate(slices)}
    view = carried(world, means)
    assert list(carriers(world.profile, [view]).before) == ["mean of s4", "mean of s3", "mean of s2"]
    assert view.losses is not None
    fallen = view._replace(losses=msgspec.structs.replace(view.losses, loss=0))
    assert carriers(world.profile, [fallen]) == ({}, {})
    assert carriers(world.profile, []) == ({}, {})
