"""How far a bucket lies from its reference: scores of bins, shares, and the linearised area under the ROC curve."""

from __future__ import annotations

import math
from itertools import pairwise

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from skills._kit.profiles import number_profile
from streams.contracts.bundle import NumberProfile
from streams.contracts.summaries import SCORE_BINS, NumberCounts
from streams.detectors import feature_shares, inputs_constant, inputs_quality, performance_auc
from streams.detectors._bins import BinScores, sketch_numbers
from streams.detectors._contrasts import ASPECTS, normal_scores, share_level, skewness
from streams.detectors.base import Detector
from streams.detectors.checks import World, setup_of
from streams.statistics.counts import count_numbers
from streams.statistics.distances import psi

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def shares_of(counts: list[int]) -> Floats:
    return np.array(counts) / sum(counts)


BINS = st.builds(
    lambda first, inner, last: [first, *inner, last],
    st.integers(1, 900),
    st.lists(st.integers(0, 900), max_size=20),
    st.integers(1, 900),
)


@given(BINS)
@settings(max_examples=150, deadline=None)
def test_scores_are_orthonormal_whatever_the_bins(counts: list[int]) -> None:
    shares = shares_of(counts)
    scores = np.array([np.ones(len(shares)), *normal_scores(shares.tolist())])
    assert len(scores) == min(np.count_nonzero(counts), 4)
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores * shares @ scores.T, np.eye(len(scores)), atol=1e-7)


def test_one_bin_tells_nothing() -> None:
    assert normal_scores([1.0]) == []


def test_an_empty_bin_at_the_end_spoils_no_score() -> None:
    for score in normal_scores([0.0, 0.25, 0.5, 0.25, 0.0]):
        assert np.isfinite(score).all()


def test_the_first_score_is_the_mean_of_a_normal_variable_in_each_bin() -> None:
    shares = [0.05, 0.3, 0.4, 0.2, 0.05]
    ends = stats.norm.ppf(np.r_[0, np.cumsum(shares[:-1]), 1])
    means = np.array([stats.truncnorm.mean(low, high) for low, high in pairwise(ends)])
    deviation = math.sqrt(np.dot(shares, means**2))
    np.testing.assert_allclose(normal_scores(shares)[0], means / deviation, rtol=1e-7)


def test_the_scores_of_many_bins_are_hermite_polynomials() -> None:
    """Location, spread and asymmetry of a normal variable: x, (x² - 1) / √2 and (x³ - 3x) / √6."""
    bins = 4_000
    x = stats.norm.ppf((np.arange(bins) + 0.5) / bins)
    expected = x, (x**2 - 1) / math.sqrt(2), (x**3 - 3 * x) / math.sqrt(6)
    inside = np.abs(x) < 2.5
    for found, polynomial in zip(normal_scores([1 / bins] * bins), expected, strict=True):
        np.testing.assert_allclose(found[inside], polynomial[inside], atol=0.06)


def test_a_shift_and_a_stretch_of_a_normal_column_are_read_in_its_deviations() -> None:
    """A shift by 0.2 deviations moves the location by about 0.2; a stretch moves the spread alone."""
    edges = stats.norm.ppf(np.arange(1, 20) / 20)
    profile = NumberProfile(edges=edges.tolist(), shares=[0.05] * 20, missing=0.0, low=-4, high=4, sample=[])
    scores = BinScores({"x": profile}, "feature_drift", {"x": 0.1}, 10_000)
    assert [signal.aspect for signal in scores.signals] == list(ASPECTS)

    def read(shift: float, stretch: float) -> Floats:
        bins = np.diff(stats.norm.cdf(np.r_[-np.inf, edges, np.inf], shift, stretch))
        return scores.read({"x": NumberCounts(bins=np.rint(bins * 1e6).astype(int).tolist())}).level

    np.testing.assert_allclose(read(0.0, 1.0), 0, atol=1e-5)
    location, spread, _ = read(0.2, 1.0)
    assert location == pytest.approx(0.2, rel=0.05)
    assert abs(spread) < 0.05
    location, spread, asymmetry = read(0.0, 1.2)
    assert spread > 0.2
    np.testing.assert_allclose((location, asymmetry), 0, atol=1e-5)


def test_columns_of_many_and_few_bins_are_read_side_by_side() -> None:
    """A flag has two bins and so one score; a constant has one bin and none; what a bucket lacks says nothing."""
    numbers = {
        "wide": NumberProfile(edges=[1, 2, 3, 4], shares=[0.2] * 5, missing=0.5, low=0, high=5, sample=[]),
        "constant": NumberProfile(edges=[], shares=[1.0], missing=0.0, low=1, high=1, sample=[]),
        "flag": NumberProfile(edges=[1], shares=[0.9, 0.1], missing=0.0, low=0, high=1, sample=[]),
    }
    scores = BinScores(numbers, "feature_drift", dict.fromkeys(numbers, 0.1), 1_000)
    assert [(signal.watched, signal.reference) for signal in scores.signals] == [("wide", 500)] * 3 + [("flag", 1_000)]
    found = scores.read({"flag": NumberCounts(bins=[80, 20]), "constant": NumberCounts(bins=[100])})
    assert np.isnan(found.level[:3]).all()
    assert found.rows.tolist() == [0, 0, 0, 100]
    assert found.level[3] == pytest.approx(0.1 / math.sqrt(0.9 * 0.1)), "a share's distance in its deviations"


@given(BINS)
@settings(max_examples=50, deadline=None)
def test_the_skewness_of_scores_is_that_of_the_rows(counts: list[int]) -> None:
    for score in normal_scores(shares_of(counts).tolist()):
        rows = np.repeat(score, counts)
        assert skewness(shares_of(counts).tolist(), score) == pytest.approx(stats.skew(rows), abs=1e-6)


@pytest.mark.parametrize("rows", [200, 2_000])
@pytest.mark.parametrize("share", [0.01, 0.05, 0.3, 0.5, 0.9])
def test_a_share_has_the_same_variance_whatever_it_is(share: float, rows: int) -> None:
    """Summed exactly over all counts."""
    hits = np.arange(rows + 1.0)
    chances = stats.binom.pmf(hits, rows, share)
    levels = share_level(hits, np.full(len(hits), float(rows)), np.full(len(hits), share))
    mean = chances @ levels
    assert abs(mean) * math.sqrt(rows) < (0.16 if share * rows < 5 else 0.08)
    assert chances @ (levels - mean) ** 2 * rows == pytest.approx(1, abs=0.1 if share * rows < 5 else 0.01)


def test_a_share_as_expected_is_nothing_and_no_rows_say_nothing() -> None:
    found = share_level(np.array([30.0, 60.0, 0.0, 0.0]), np.array([100.0, 100.0, 100.0, 0.0]), np.array([0.3, 0.3, 0.3, 0.3]))
    assert found[0] == 0
    assert found[1] == pytest.approx(2 * (math.asin(math.sqrt(0.6)) - math.asin(math.sqrt(0.3))), rel=0.01)
    assert found[2] < 0
    assert np.isnan(found[3])


def opened(kind: object, world: World) -> Detector:
    return kind.open_detector(setup_of(world))


def histograms(labels: Flags, bins: Integers) -> tuple[list[int], list[int]]:
    return tuple(np.bincount(bins[labels == label], minlength=SCORE_BINS).tolist() for label in (True, False))


def read_auc(detector: Detector, world: World, labels: Flags, bins: Integers) -> tuple[float, float]:
    """Level and effect."""
    view = world.view(0)
    assert view.losses is not None
    positives, negatives = histograms(labels, bins)
    losses = msgspec.structs.replace(view.losses, positives=positives, negatives=negatives)
    found = detector.read(view._replace(losses=losses))
    assert found.rows.tolist() == [len(labels)]
    return float(found.level[0]), float(found.effect[0])


def sampled_scores(generator: np.random.Generator, rows: int, apart: float) -> tuple[Flags, Integers]:
    labels = generator.random(rows) < 0.3
    scores = stats.norm.cdf(generator.normal(np.where(labels, apart, 0.0), 1.0))
    return labels, (scores * SCORE_BINS).astype(np.int64)


def test_the_linearised_area_is_the_area_of_the_rows_to_the_first_order() -> None:
    """The reference reads as nothing; new rows read as the fall of their area, save a square of it; per row the variance is 1."""
    generator, world = np.random.default_rng(3), World(0)
    labels, bins = sampled_scores(generator, 40_000, 1.0)
    positives, negatives = histograms(labels, bins)
    world.profile = msgspec.structs.replace(world.profile, positives=positives, negatives=negatives)
    detector, area = opened(performance_auc, world), roc_auc_score(labels, bins)
    assert read_auc(detector, world, labels, bins) == (pytest.approx(0, abs=1e-12), pytest.approx(0, abs=1e-12))
    for apart, near in ((1.0, 0.002), (0.8, 0.006)):
        falls = []
        for _ in range(20):
            new = sampled_scores(generator, 3_000, apart)
            fall = area - roc_auc_score(*new)
            falls.append(fall)
            assert read_auc(detector, world, *new)[1] == pytest.approx(fall, abs=near)
        assert np.std(falls) > near / 2, "near is little beside what chance does"
    levels = [read_auc(detector, world, *sampled_scores(generator, 50, 1.0))[0] * math.sqrt(50) for _ in range(1_000)]
    assert np.std(levels) == pytest.approx(1, abs=0.1)
    assert np.mean(levels) == pytest.approx(0, abs=0.15)


def test_a_single_positive_says_something_of_the_area() -> None:
    world = World(0, reference_rows=20_000)
    detector = opened(performance_auc, world)
    low, high = (read_auc(detector, world, np.array([True]), np.array([place]))[1] for place in (1, SCORE_BINS - 2))
    assert low > 0 > high, "a positive below all negatives takes from the area"


def test_too_few_rows_of_a_label_make_no_area() -> None:
    world = World(0)
    world.profile = msgspec.structs.replace(world.profile, positives=[9, *[0] * (SCORE_BINS - 1)])
    assert list(opened(performance_auc, world).signals) == []
    assert list(opened(performance_auc, World(0, "regression")).signals) == []


def test_every_frequent_category_is_followed_and_all_others_as_one() -> None:
    world = World(0)
    shares = {"a": 0.6, "b": 0.39, "c": 0.006, "d": 0.004}
    world.profile.categories["colour"] = msgspec.structs.replace(world.profile.categories["colour"], shares=shares)
    detector, view = opened(feature_shares, world), world.view(0)
    assert [signal.aspect for signal in detector.signals] == [f"share of {name}" for name in ("a", "b", "c", "others")]
    assert view.inputs is not None
    colour = view.inputs.categories["colour"]
    colour.counts, colour.unseen = {"a": 60, "b": 29, "c": 1, "d": 2}, 8
    found = detector.read(view)
    assert found.rows.tolist() == [100] * 4
    np.testing.assert_allclose(found.effect, [0.0, -0.1, 0.004, 0.096], atol=1e-9)
    assert found.level[3] > 0.4
    del view.inputs.categories["colour"]
    assert np.isnan(detector.read(view).level).all()


def test_quality_reads_each_kind_of_bad_value_as_a_share() -> None:
    world = World(4)
    detector, found = opened(inputs_quality, world), opened(inputs_quality, world).read(world.view(0, is_broken=True))
    by_name = {signal.name: index for index, signal in enumerate(detector.signals)}
    numbers = {f"{name}: {aspect}" for name in ("size", "weight") for aspect in ("missing", "out of range")}
    assert set(by_name) == numbers | {"colour: missing", "colour: unseen category"}
    assert found.level[by_name["size: missing"]] * math.sqrt(600) > 10
    assert found.effect[by_name["size: missing"]] == pytest.approx(0.25, abs=0.07)
    assert found.effect[by_name["colour: unseen category"]] == pytest.approx(0.3, abs=0.07)
    assert found.effect[by_name["colour: missing"]] == pytest.approx(-0.5 / 2_001), "none, where half a row is no proof"
    view = world.view(0)
    assert view.inputs is not None
    size = view.inputs.numbers["size"]
    size.low, size.high = 3, 4
    found, index = detector.read(view), by_name["size: out of range"]
    assert found.rows[index] == 600 - size.missing, "missing values are in no range"
    assert found.effect[index] == pytest.approx(7 / (600 - size.missing), abs=2e-3)


def test_a_column_that_has_one_value_alone_is_constant() -> None:
    world = World(4)
    detector, view = opened(inputs_constant, world), world.view(0)
    assert view.inputs is not None
    size, colour = (
        next(i for i, signal in enumerate(detector.signals) if signal.name == f"{name}: constant") for name in ("size", "colour")
    )
    counts, shades = view.inputs.numbers["size"], view.inputs.categories["colour"]
    counts.least, counts.most = -1.0, 1.0
    calm = detector.read(view)
    assert (calm.level[size], calm.effect[size], calm.rows[size], calm.level[colour]) == (0.0, 0.0, 1.0, 0.0)
    counts.least = counts.most = 0.5
    shades.counts, shades.unseen, shades.missing = {"blue": 3, "green": 0, "red": 0}, 0, 597
    found = detector.read(view)
    assert (found.level[size], found.effect[size]) == (12.0, 1.0)
    # Three rows are all blue by chance in one bucket of four.
    blue = world.profile.categories["colour"].shares["blue"]
    assert found.level[colour] == pytest.approx(stats.norm.isf(blue**2))
    assert detector.sketch(size, [view]).after == {"value": 0.5, "buckets": 1.0}
    assert detector.sketch(colour, [view]).after == {"buckets": 1.0}
    shades.counts, shades.unseen = {"blue": 0, "green": 0, "red": 0}, 600
    assert detector.read(view).level[colour] == 0.0, "what is unseen may be many"
    shades.unseen, counts.bins, counts.least, counts.most = 0, [0] * 10, None, None
    assert np.isnan(detector.read(view).level[[size, colour]]).all()


def test_what_is_nearly_always_the_same_is_constant_in_many_rows_alone() -> None:
    """Nothing in 99 of 100 rows: thirty rows of nothing are no news, six hundred are; what never varied isn't followed."""
    world = World(4)
    shares = {"blue": 1.0, "green": 0.0, "red": 0.0}
    categories = {"colour": msgspec.structs.replace(world.profile.categories["colour"], shares=shares)}
    mostly = msgspec.structs.replace(world.profile.numbers["size"], edges=[0.5], shares=[0.99, 0.01])
    world.profile = msgspec.structs.replace(world.profile, categories=categories, numbers={"size": mostly})
    detector, view = opened(inputs_constant, world), world.view(0)
    ((index, signal),) = [(i, one) for i, one in enumerate(detector.signals) if one.aspect == "constant"]
    assert signal.watched == "size"
    assert view.inputs is not None
    counts = view.inputs.numbers["size"]
    counts.least = counts.most = 0.0
    levels = []
    for rows in (30, 600):
        counts.bins = [rows, 0]
        levels.append(detector.read(view).level[index])
    assert levels == pytest.approx([0.0, stats.norm.isf(0.99**599)])
    assert levels[1] > 2.8


def test_beyond_both_extremes_lie_as_many_as_exchangeable_draws_give() -> None:
    """Each of two extremes of n rows is beaten by a new row with chance 1 / (n + 1)."""
    world = World(4)
    known = sum(1 for _ in world.profile.numbers["size"].sample)
    rates = {rate.aspect: rate.share for rate in opened(inputs_quality, world)._rates if rate.column == "size"}
    assert rates["out of range"] == pytest.approx(2 / (known + 1), rel=0.01)


def test_quantiles_are_read_from_bins_and_an_empty_bucket_has_none() -> None:
    profile = NumberProfile(edges=[1, 2, 3], shares=[0.25] * 4, missing=0.2, low=0, high=4, sample=[])
    high = [NumberCounts(bins=[0, 0, 50, 50], missing=100), NumberCounts(bins=[0, 0, 50, 50])]
    before, after = sketch_numbers(profile, high)
    assert before == pytest.approx({"missing": 0.2, "p10": 0.4, "median": 2, "p90": 3.6})
    assert after == {
        "missing": pytest.approx(1 / 3),
        "p10": pytest.approx(2.2),
        "median": pytest.approx(3),
        "p90": pytest.approx(3.8),
        "psi": pytest.approx(psi(np.array([0, 0, 0.5, 0.5]), np.full(4, 0.25))),
        "jensen_shannon": pytest.approx(math.sqrt((math.log2(4 / 3) + 0.5 + 0.5 * math.log2(2 / 3)) / 2)),
        "wasserstein": pytest.approx(1.0),
    }
    assert sketch_numbers(profile, []).after == {"missing": 0.0}


def test_a_number_that_is_mostly_nothing_is_followed_all_the_same() -> None:
    """A count that is 0 in 97 of 100 rows, and then in 40: all quantiles of the reference are 0."""
    rng = np.random.default_rng(1)

    def counts(rows: int, share: float) -> npt.NDArray[np.float64]:
        return np.where(rng.random(rows) < share, rng.integers(1, 9, rows), 0).astype(np.float64)

    profile = number_profile(counts(10_000, 0.03), rng)
    scores = BinScores({"x": profile}, "feature_drift", {"x": 0.1}, 10_000)
    usual, moved = (
        scores.read({"x": count_numbers(profile, counts(500, share), np.zeros(500, np.int64), 1)[0]}) for share in (0.03, 0.6)
    )
    assert abs(usual.level[0]) < 0.2
    assert moved.level[0] > 2
