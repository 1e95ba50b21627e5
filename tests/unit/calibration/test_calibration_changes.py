"""Each change of the menu alters what it says, by as much as it says, and nothing else."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from streams.calibration.changes import Change, area, menu
from streams.calibration.panel import Panel
from streams.contracts.bundle import CategoryProfile
from streams.detectors.base import BucketView
from streams.detectors.checks import World, setup_of
from streams.monitoring.config import OURS

WORLD = World(1)


def changes(world: World = WORLD) -> dict[str, Change]:
    return {change.name: change for change in menu(world.profile, frozenset(world.manifest.schema.numbers))}


def altered(change: Change, view: BucketView, seed: int = 0) -> BucketView:
    return change.alter(view, np.random.default_rng(seed))


def all_altered(change: Change, views: list[BucketView]) -> list[BucketView]:
    generator = np.random.default_rng(0)
    return [change.alter(view, generator) for view in views]


def levels(panel: Panel, view: BucketView) -> dict[tuple[str, str], float]:
    """Mean levels by detector and signal."""
    names = [(place.detector, signal.name) for place, signal in zip(panel.places, panel.signals, strict=True)]
    return dict(zip(names, panel.read(view).level.tolist(), strict=True))


def moved(name: str) -> dict[tuple[str, str], float]:
    """By how much levels move on average over many buckets."""
    panel, views = Panel(OURS, setup_of(WORLD)), [WORLD.view(day) for day in range(40)]
    was, now = ([levels(panel, view) for view in some] for some in (views, all_altered(changes()[name], views)))
    return {each: float(np.nanmean([b[each] - a[each] for a, b in zip(was, now, strict=True)])) for each in was[0]}


def test_the_menu_has_each_change_once_and_all_of_them() -> None:
    names = [change.name for change in menu(WORLD.profile, frozenset(WORLD.manifest.schema.numbers))]
    assert len(names) == len(set(names)) == 14
    assert all(change.watched for change in changes().values())


def test_what_cannot_be_changed_is_not_on_it() -> None:
    """Regression has no AUC, a profile without categories none to double, one whose loss doesn't vary none to rise."""
    assert not any("AUC" in name for name in changes(World(1, "regression")))
    profile = msgspec.structs.replace(WORLD.profile, categories={}, loss_std=0.0)
    names = [change.name for change in menu(profile, frozenset())]
    assert not any(word in name for name in names for word in ("category", "loss rises", "unit"))


@pytest.mark.parametrize("view", [WORLD.view(0)._replace(inputs=None), WORLD.view(0)._replace(losses=None)])
@pytest.mark.parametrize("name", list(changes()))
def test_a_bucket_of_which_a_part_is_not_known_stays_so(name: str, view: BucketView) -> None:
    found = altered(changes()[name], view)
    assert (found.inputs is None, found.losses is None) == (view.inputs is None, view.losses is None)


@pytest.mark.parametrize("name", list(changes()))
def test_a_view_is_not_changed_itself_and_no_row_is_lost(name: str) -> None:
    view = WORLD.view(3)
    before = msgspec.json.encode([view.inputs, view.losses])
    found = altered(changes()[name], view)
    assert msgspec.json.encode([view.inputs, view.losses]) == before
    assert msgspec.json.encode([found.inputs, found.losses]) != before
    assert found.inputs is not None
    assert view.inputs is not None
    for column, counts in found.inputs.numbers.items():
        was = view.inputs.numbers[column]
        assert sum(counts.bins) + counts.missing == sum(was.bins) + was.missing
        assert min(counts.bins) >= 0
    for column, groups in found.inputs.categories.items():
        known = view.inputs.categories[column]
        assert sum(groups.counts.values()) + groups.unseen + groups.missing == (
            sum(known.counts.values()) + known.unseen + known.missing
        )
    assert altered(changes()[name], view) == found, "the same seed, the same change"


@pytest.mark.parametrize("by", [0.25, 0.5, 1.0])
def test_a_shift_is_as_large_as_it_says(by: float) -> None:
    """The level is a mean normal score, so that it rises by the shift, less what the outer bins swallow."""
    found = moved(f"a feature shifts by {by:g} sd")
    for (detector, signal), off in found.items():
        if detector == "feature_scores" and signal.endswith("location"):
            assert off == pytest.approx(by, rel=0.15)
        elif detector != "feature_scores":
            assert off == 0
    assert moved(f"the score shifts by {by:g} sd")["score_scores", "score: location"] == pytest.approx(by, rel=0.15)


@pytest.mark.parametrize("by", [0.1, 0.25])
def test_the_loss_rises_by_as_much_as_it_says(by: float) -> None:
    found = moved(f"the loss rises by {by:g} sd")
    assert found.pop(("loss_mean", "loss: mean")) == pytest.approx(by, rel=1e-4)
    assert not any(found.values())


@pytest.mark.parametrize("by", [0.02, 0.05])
def test_the_ranking_falls_by_as_much_as_it_says(by: float) -> None:
    views = [WORLD.view(day) for day in range(60)]
    was, now = (summed(some) for some in (views, all_altered(changes()[f"the AUC falls by {by:g}"], views)))
    assert area(*was) - area(*now) == pytest.approx(by, rel=0.15)
    assert (was[0].sum(), was[1].tolist()) == (now[0].sum(), now[1].tolist())


def summed(views: list[BucketView]) -> list[np.ndarray]:
    """The histograms of positives and of negatives."""
    losses = [view.losses for view in views if view.losses is not None]
    return [np.sum([one.positives for one in losses], axis=0), np.sum([one.negatives for one in losses], axis=0)]


def test_missing_values_become_as_many_more_as_it_says() -> None:
    view = WORLD.view(3)
    found = altered(changes()["20% of the rows lose a value"], view).inputs
    assert view.inputs is not None
    assert found is not None
    for name, counts in {**found.numbers, **found.categories}.items():
        was = (view.inputs.numbers.get(name) or view.inputs.categories[name]).missing
        assert (counts.missing - was) / view.inputs.rows == pytest.approx(0.2, abs=0.05)


def test_the_category_nearest_to_a_tenth_becomes_twice_as_frequent() -> None:
    ((column, profile),) = list(WORLD.profile.categories.items())[:1]
    shares = {"most": 0.62, "tenth": 0.12, "some": 0.25, "rare": 0.01}
    given = msgspec.structs.replace(WORLD.profile, categories={column: CategoryProfile(shares=shares, missing=profile.missing)})
    change = next(one for one in menu(given, frozenset()) if "category" in one.name)
    view = WORLD.view(0)
    assert view.inputs is not None
    counts = msgspec.structs.replace(
        view.inputs.categories[column], counts={k: round(v * 10_000) for k, v in shares.items()}, unseen=0
    )
    inputs = msgspec.structs.replace(view.inputs, categories={column: counts})
    found = altered(change, view._replace(inputs=inputs)).inputs
    assert found is not None
    assert found.categories[column].counts["tenth"] / 10_000 == pytest.approx(0.24, abs=0.02)
    assert found.categories[column].counts["most"] / 10_000 == pytest.approx(0.62 * (1 - 0.12 / 0.88), abs=0.02)


def test_the_area_of_two_histograms_counts_ties_half() -> None:
    assert area(np.array([0.0, 1.0]), np.array([1.0, 0.0])) == 1
    assert area(np.array([1.0, 1.0]), np.array([1.0, 1.0])) == 0.5
    assert area(np.array([0.0, 1.0, 1.0]), np.array([1.0, 1.0, 0.0])) == 0.875
