"""Detectors of all columns together, each against a count, a formula or another library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from streams.detectors import inputs_classifier, inputs_mmd, inputs_pca
from streams.detectors._joint import Remembered, Space, joint_of
from streams.detectors._tested import FEWEST
from streams.detectors.base import BucketView, Detector, Floats, Setup
from streams.detectors.checks import World, setup_of
from streams.detectors.inputs_classifier import area_of
from streams.monitoring.config import OURS
from streams.statistics.scan import LENGTHS

KINDS = (inputs_pca, inputs_mmd, inputs_classifier)


def numbers(*columns: Sequence[float | None] | Floats) -> tuple[dict[str, list[Any]], set[str]]:
    """Columns a, b and so on, and their names."""
    found = {name: list(values) for name, values in zip("abcdefgh", columns, strict=False)}
    return found, set(found)


def space_of(columns: Mapping[str, list[Any]], names: set[str]) -> Space:
    return Space(columns, dict.fromkeys(names))


def changed(view: BucketView, change: Mapping[str, Any]) -> BucketView:
    """The same bucket, some of its sampled columns having other values: one for all rows, or one for each."""
    assert view.inputs is not None
    rows = [
        (row, values | {name: value[row] if isinstance(value, list) else value for name, value in change.items()})
        for row, values in view.inputs.sample
    ]
    return view._replace(inputs=msgspec.structs.replace(view.inputs, sample=rows))


def of_normals(reference: Floats) -> Setup:
    """The setup of a bundle with the columns a, b and so on."""
    world, columns = World(0), numbers(*reference.T)[0]
    profile = msgspec.structs.replace(world.profile, numbers=dict.fromkeys(columns, world.profile.numbers["size"]), categories={})
    return setup_of(world)._replace(profile=profile, read_rows=lambda: pa.table(columns))


def bucket(points: Floats, number: int = 0) -> BucketView:
    """A bucket of rows with the columns a, b and so on."""
    view = World(0).view(number, rows=30)
    assert view.inputs is not None
    rows = [(row, dict(zip("abcdefgh", values, strict=False))) for row, values in enumerate(points.tolist())]
    return view._replace(inputs=msgspec.structs.replace(view.inputs, sample=rows))


def level_of(detector: Detector, view: BucketView) -> float:
    (level,) = detector.read(view).level
    return float(level)


def test_a_number_is_the_normal_score_of_its_rank() -> None:
    space = space_of(*numbers(np.arange(100.0), [0.0] * 50 + [1.0] * 30 + [2.0] * 20))
    found = space.place({"a": [0.0, 49.5, 10**9, -(10**9)], "b": [0, 1, 2, 1.5]})
    assert space.columns == ["a", "b"]
    assert found[:, 0] == pytest.approx([stats.norm.ppf(rank) for rank in (0.005, 0.5, 0.995, 0.005)])
    assert found[:, 1] == pytest.approx([stats.norm.ppf(rank) for rank in (0.25, 0.65, 0.9, 0.8)])


def test_units_and_rising_transformations_change_nothing() -> None:
    values = np.random.default_rng(1).normal(size=200)
    plain, other = space_of(*numbers(values)), space_of(*numbers(np.exp(3 * values)))
    assert plain.place({"a": values[:50]}) == pytest.approx(other.place({"a": np.exp(3 * values[:50])}))


def test_what_is_missing_lies_in_the_middle_and_has_an_axis_where_it_is_frequent() -> None:
    often: list[float | None] = [None] * 10 + list(range(90))
    space = space_of(*numbers(often, [None, *range(99)]))
    assert space.columns == ["a", "a", "b"]
    found = space.place({"a": [None, 50.0, math.nan, math.inf, "what"], "b": [None] * 5})
    is_missing = np.array([1, 0, 1, 1, 1])
    assert found[is_missing == 1, 0].tolist() == [0] * 4
    assert found[:, 1] == pytest.approx((is_missing - 0.1) / 0.3)
    assert found[:, 2].tolist() == [0] * 5


def test_frequent_categories_are_indicators_of_mean_0_that_add_up_to_variance_1() -> None:
    reference = ["x"] * 50 + ["y"] * 36 + ["rare"] * 4 + [None] * 10
    space = space_of({"a": reference, "mostly": ["x"] * 96 + ["y"] * 4, "many": [f"c{row}" for row in range(100)]}, set())
    assert space.columns == ["a", "a", "a"], "missing, x and y; what nearly all have or nearly none has no axis"
    placed = space.place({"a": reference})
    assert placed.mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-12)
    assert placed.var(axis=0) == pytest.approx([1 / 3] * 3)
    away = [-share / math.sqrt(3 * share * (1 - share)) for share in (0.1, 0.5, 0.36)]
    assert space.place({"a": ["never seen"]})[0] == pytest.approx(away)
    assert space.place({"a": ["x"]})[0] == pytest.approx([away[0], 1 / math.sqrt(3), away[2]])
    assert space.place({"a": [""]})[0] == pytest.approx([math.sqrt(3), away[1], away[2]])


def test_only_columns_that_vary_and_that_both_sides_know_are_taken() -> None:
    world = World(3)
    reference = world.reference.append_column("foreign", world.reference.column("colour")).drop_columns(["weight"])
    constant = np.ones(reference.num_rows)
    nearly = np.where(np.arange(reference.num_rows) % 25, 1.0, 2.0)
    for table in (reference, *(reference.append_column("weight", pa.array(values)) for values in (constant, nearly))):
        joint = joint_of(setup_of(world)._replace(read_rows=lambda table=table: table))
        assert joint is not None
        assert set(joint.space.columns) == {"size", "colour"}, "neither the label nor what the sample lacks"
    joint = joint_of(setup_of(world))
    assert joint is not None
    assert set(joint.space.columns) == {"size", "weight", "colour"}
    foreign = reference.select(["foreign", "label"])
    assert joint_of(setup_of(world)._replace(read_rows=lambda: foreign)) is None


def test_the_references_rows_come_in_a_random_order_that_is_always_the_same_and_not_all_of_too_many() -> None:
    values = np.random.default_rng(0).normal(size=(12_000, 2))
    values[:, 0].sort()
    one, other = joint_of(of_normals(values)), joint_of(of_normals(values))
    assert one is not None
    assert other is not None
    assert one.reference.shape == (5_000, 2)
    np.testing.assert_array_equal(one.reference, other.reference)
    halves = one.reference[:2_500, 0], one.reference[2_500:, 0]
    assert stats.ks_2samp(*halves).pvalue > 1e-3
    assert np.std(one.reference, axis=0) == pytest.approx([1, 1], abs=0.01), "evenly taken"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [None, 0, FEWEST - 1])
def test_without_a_reference_nothing_is_watched(kind: ModuleType, rows: int | None) -> None:
    world = World(3)
    table = None if rows is None else world.reference.slice(0, rows)
    detector = kind.open_detector(setup_of(world)._replace(read_rows=lambda: table))
    assert list(detector.signals) == []
    assert [part.shape for part in detector.read(world.view(0))] == [(0,)] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_that_is_too_small_or_lacks_a_column_says_nothing(kind: ModuleType) -> None:
    world = World(3)
    detector = kind.open_detector(setup_of(world))
    view = world.view(0)
    assert view.inputs is not None
    without = [(row, {name: value for name, value in values.items() if name != "size"}) for row, values in view.inputs.sample]
    for sample in (view.inputs.sample[: FEWEST - 1], without, []):
        found = detector.read(view._replace(inputs=msgspec.structs.replace(view.inputs, sample=sample)))
        assert np.isnan(found.level).all()
        assert found.rows.tolist() == [0]
    enough = detector.read(view._replace(inputs=msgspec.structs.replace(view.inputs, sample=view.inputs.sample[:FEWEST])))
    assert np.isfinite(enough.level).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", [{"size": None}, {"size": math.nan}, {"size": math.inf}, {"colour": "never seen"}])
def test_a_column_that_is_lost_or_strange_is_loud_and_finite(kind: ModuleType, change: dict[str, Any]) -> None:
    world = World(3)
    detector = kind.open_detector(setup_of(world))
    quiet, broken = (detector.read(view) for view in (world.view(0), changed(world.view(1), change)))
    assert np.isfinite([*broken.level, *broken.effect]).all()
    assert abs(quiet.level * np.sqrt(quiet.rows))[0] < 4 < abs(broken.level * np.sqrt(broken.rows))[0]


@pytest.mark.parametrize("kind", KINDS)
def test_columns_that_no_longer_go_together_are_found_though_each_is_as_it_was(kind: ModuleType) -> None:
    world, generator = World(3), np.random.default_rng(0)
    detector = kind.open_detector(setup_of(world))
    view = world.view(0)
    assert view.inputs is not None
    weights = generator.permutation([row["weight"] for _, row in view.inputs.sample]).tolist()
    found = detector.read(changed(view, {"weight": weights}))
    assert (found.level * np.sqrt(found.rows))[0] > 5
    assert found.effect[0] > detector.signals[0].floor


@pytest.mark.parametrize("kind", KINDS)
def test_a_sketch_speaks_of_the_buckets_that_it_gets_though_they_have_no_samples(kind: ModuleType) -> None:
    world = World(3)
    detector = kind.open_detector(setup_of(world))
    views = [world.view(0), world.view(1, is_broken=True)]
    for view in views:
        detector.read(view)
    bare = [view._replace(inputs=msgspec.structs.replace(view.inputs, sample=[])) for view in views if view.inputs is not None]
    quiet, broken, both = (detector.sketch(0, some) for some in (bare[:1], bare[1:], bare))
    name = next(iter(quiet.after))
    assert quiet.after[name] == pytest.approx(quiet.before[name], abs=0.1)
    assert broken.after[name] > quiet.after[name] + 0.3
    assert both.after[name] == pytest.approx((quiet.after[name] + broken.after[name]) / 2)
    assert detector.sketch(0, [world.view(9)]).after == {}, "nothing is known of that one"


def test_memory_is_bounded() -> None:
    remembered, view = Remembered(), World(0).view(0, rows=30)
    for number in range(100):
        remembered.keep(view._replace(start_ms=number), {"x": float(number)})
    assert remembered.mean([view._replace(start_ms=number) for number in range(100)]) == {
        "x": np.mean(range(100 - LENGTHS[-1], 100))
    }


def correlated(rows: int, share: float, seed: int, columns: int = 2) -> Floats:
    """Normal columns, all correlated by `share`."""
    covariance = np.full((columns, columns), share) + (1 - share) * np.eye(columns)
    return np.random.default_rng(seed).multivariate_normal(np.zeros(columns), covariance, rows)


def test_the_reconstruction_error_is_that_of_components_which_explain_80_percent() -> None:
    setup, points = of_normals(correlated(2_000, 0.6, 0, 6)), correlated(400, 0.5, 1, 6)
    joint = joint_of(setup)
    assert joint is not None
    fitted, held_out = np.split(joint.reference, 2)
    # A share as the number of components: so many that they explain it.
    model = PCA(0.8).fit(fitted)
    usual, now = (
        np.linalg.norm(rows - model.inverse_transform(model.transform(rows)), axis=1)
        for rows in (held_out, joint.space.place(numbers(*points.T)[0]))
    )
    assert 1 < model.n_components_ < 6
    detector = inputs_pca.open_detector(setup)
    found = detector.read(bucket(points))
    assert found.level[0] == pytest.approx((now.mean() - usual.mean()) / usual.std())
    assert (found.rows[0], found.effect[0]) == (400, found.level[0])
    (signal,) = detector.signals
    assert signal.reference == 1_000
    assert signal.skewness == pytest.approx(stats.skew(usual))
    assert not signal.rises_only


def test_one_direction_is_always_left_to_err_in() -> None:
    """Of two columns that hardly go together one component explains 60 %, and both would explain all."""
    detector = inputs_pca.open_detector(of_normals(correlated(2_000, 0.2, 0)))
    assert level_of(detector, bucket(correlated(500, 0.0, 1))) > 0.1
    assert level_of(detector, bucket(correlated(500, 0.6, 1))) < -0.2


def test_rows_on_the_plane_are_a_fall_and_the_columns_that_leave_it_are_named() -> None:
    detector = inputs_pca.open_detector(of_normals(np.c_[correlated(2_000, 0.9, 0, 3), correlated(2_000, 0.0, 1, 1)]))
    same = np.random.default_rng(2).normal(size=(200, 1)).repeat(3, axis=1)
    apart = np.c_[correlated(200, 0.9, 3, 3), correlated(200, 0.0, 4, 1)]
    apart[:, 1] *= -1
    assert level_of(detector, bucket(np.c_[same, correlated(200, 0.0, 5, 1)])) < -1
    assert level_of(detector, bucket(apart, 1)) > 3
    shown = detector.sketch(0, [bucket(apart, 1)])
    assert list(shown.after)[:2] == ["error", "Q of b"]
    assert shown.after["error"] > 2 * shown.before["error"]


def test_columns_that_are_copies_give_a_large_finite_level_and_one_column_none() -> None:
    values = correlated(500, 0.0, 0, 1)
    detector = inputs_pca.open_detector(of_normals(values.repeat(2, axis=1)))
    assert level_of(detector, bucket(correlated(100, 1.0, 1))) == pytest.approx(0.0, abs=0.01)
    assert 10 < level_of(detector, bucket(correlated(100, 0.0, 2))) < 1_000
    assert list(inputs_pca.open_detector(of_normals(values)).signals) == []


def test_the_distance_is_that_of_a_gaussian_kernel_which_is_as_wide_as_rows_lie_apart() -> None:
    reference, points = correlated(3_000, 0.0, 0, 3), correlated(500, 0.0, 1, 3) + np.array([0.6, 0.0, 0.0])
    setup = of_normals(reference)
    joint = joint_of(setup)
    assert joint is not None
    before, after = joint.reference[:1_500], joint.space.place(numbers(*points.T)[0])
    median = np.median(cdist(before, before)[np.triu_indices(len(before), 1)])

    def kernel(one: Floats, other: Floats) -> Floats:
        return np.exp(-((cdist(one, other) / median) ** 2))

    within = [(kernel(rows, rows).sum() - len(rows)) / (len(rows) * (len(rows) - 1)) for rows in (before, after)]
    squared = sum(within) - 2 * kernel(before, after).mean()
    found = inputs_mmd.open_detector(setup).read(bucket(points))
    assert found.effect[0] == pytest.approx(math.sqrt(squared / (1 - within[0])), rel=0.1)
    assert found.rows.tolist() == [1]


def test_the_distance_is_less_what_chance_makes_of_it() -> None:
    """Fifty rows and the reference are 0.14 apart by chance."""
    detector = inputs_mmd.open_detector(of_normals(correlated(3_000, 0.0, 0)))
    found = [detector.read(bucket(correlated(50, 0.0, seed))).effect[0] for seed in range(1, 21)]
    assert np.mean(np.square(found)) < 0.14**2 / 2
    assert min(found) == 0


def test_the_chance_of_a_distance_is_that_of_a_weighted_sum_of_chi_squares() -> None:
    kernel = inputs_mmd._Kernel(correlated(2_000, 0.3, 0, 4))
    generator = np.random.default_rng(1)
    features = kernel._features(correlated(2_000, 0.3, 0, 4))
    weights = np.linalg.eigvalsh(np.cov(features.T))[-150:]
    sums = (generator.chisquare(1, (50_000, 150)) * weights).sum(axis=1)
    assert sum(weights) == pytest.approx(kernel._traces[0], rel=1e-3)
    for chance, off in ((0.5, 0.05), (0.1, 0.05), (0.01, 0.15)):
        assert kernel.chance_of(float(np.quantile(sums, 1 - chance))) == pytest.approx(chance, rel=off)
    assert kernel.chance_of(0.0) == 0.999, "nothing is too alike"


def test_a_smaller_reference_makes_the_same_distance_likelier() -> None:
    shift = correlated(300, 0.0, 9) + 0.15
    levels = [level_of(inputs_mmd.open_detector(of_normals(correlated(rows, 0.0, 0))), bucket(shift)) for rows in (300, 5_000)]
    assert levels[0] < levels[1] - 0.5


def test_the_area_is_mann_and_whitneys_with_ties() -> None:
    generator = np.random.default_rng(0)
    before, after = generator.integers(0, 12, 300) / 4, generator.integers(1, 13, 170) / 4
    found = area_of(before, after)
    assert found.excess + 0.5 == pytest.approx(roc_auc_score(np.repeat([0, 1], [300, 170]), np.r_[before, after]))
    expected = stats.mannwhitneyu(after, before, alternative="greater", method="asymptotic", use_continuity=False)
    assert stats.norm.sf(found.excess / found.error) == pytest.approx(expected.pvalue)
    assert area_of(np.ones(40), np.ones(20)) == (0.0, 0.0), "nothing was told apart"


def test_the_classifier_tells_what_it_tells_by() -> None:
    detector = inputs_classifier.open_detector(of_normals(correlated(2_000, 0.0, 0, 4)))
    shifted = correlated(500, 0.0, 1, 4) + np.array([0.0, 0.0, 1.0, 0.0])
    found = detector.read(bucket(shifted))
    best = stats.norm.cdf(1 / math.sqrt(2))
    assert best - 0.05 < found.effect[0] + 0.5 < best + 0.02
    shown = detector.sketch(0, [bucket(shifted)])
    assert shown.after["AUC"] == pytest.approx(found.effect[0] + 0.5)
    assert list(shown.after)[:2] == ["AUC", "gain of c"]
    assert len(shown.after) == 4
    assert shown.after["gain of c"] > 0.5


def test_the_classifiers_error_is_that_of_one_half() -> None:
    """The two halves' areas go together, so two of them tell little more than one."""
    detector = inputs_classifier.open_detector(of_normals(correlated(2_000, 0.0, 0, 4)))
    found = detector.read(bucket(correlated(500, 0.0, 1, 4) + 0.2))
    before, after = 1_000, 250
    error = math.sqrt((before + after + 1) / (12 * before * after))
    assert 0 < found.level[0] < 12
    assert found.level[0] == pytest.approx(found.effect[0] / error, rel=0.02)


def test_rows_of_which_the_trees_say_the_same_are_no_evidence() -> None:
    detector = inputs_classifier.open_detector(of_normals(correlated(40, 0.0, 0)))
    found = detector.read(bucket(correlated(30, 0.0, 1)))
    assert (found.level[0], found.effect[0]) == (0.0, 0.0), "too few for a single split"


def test_none_is_asked_unless_it_is_wanted() -> None:
    assert not {"inputs_pca", "inputs_mmd", "inputs_classifier"} & set(OURS)
