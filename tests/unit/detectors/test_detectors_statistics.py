"""The statistics behind the detectors, each against a count, a formula or another library."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from streams.contracts.bundle import CategoryProfile
from streams.contracts.summaries import FIXED, SAMPLED_SCORE, CategoryCounts
from streams.detectors import _tested, feature_chisquare, feature_cvm, feature_ks, labels_fisher, loss_adwin, loss_mean, score_ks
from streams.detectors._measures import auc
from streams.detectors._tables import two_samples
from streams.detectors._tested import FEWEST, cramer_von_mises, kolmogorov_smirnov, mean_gap, readings
from streams.detectors.base import BucketView
from streams.detectors.checks import World, setup_of
from streams.detectors.feature_chisquare import chisquare


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 199), st.booleans()), min_size=2, max_size=60))
def test_auc_of_histograms_is_that_of_rows(rows: list[tuple[int, bool]]) -> None:
    bins, labels = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    measured = auc(*(np.bincount(bins[labels == label], minlength=200) for label in (True, False)))
    if labels.all() or not labels.any():
        assert measured is None
        return
    assert measured is not None
    assert measured.value == pytest.approx(roc_auc_score(labels, bins), abs=1e-12)
    assert measured.rows == len(rows)


def test_hanley_mcneil_covers_like_a_95_percent_interval() -> None:
    rng = np.random.default_rng(5)
    truth = stats.norm.cdf(1 / math.sqrt(2))
    covered = 0
    for _ in range(400):
        ones, zeros = rng.normal(1, 1, 150), rng.normal(0, 1, 250)
        bins = [np.histogram(values, bins=200, range=(-4, 5))[0] for values in (ones, zeros)]
        measured = auc(*bins)
        assert measured is not None
        covered += abs(measured.value - truth) <= 1.96 * measured.error
    assert stats.binom.ppf(1e-4, 400, 0.95) <= covered


@pytest.mark.parametrize("shift", [0.0, 0.15, 0.6])
def test_a_kolmogorov_smirnov_reading_is_scipys(shift: float) -> None:
    rng, world = np.random.default_rng(2), World(1)
    after = rng.normal(shift, 1, 400)
    view = world.view(0)
    assert view.inputs is not None
    view.inputs.sample = [(row, {"size": value, "colour": None}) for row, value in enumerate([*after.tolist(), None, math.nan])]
    expected = stats.ks_2samp(world.profile.numbers["size"].sample, after, method="asymp")
    found = feature_ks.open_detector(setup_of(world)).read(view)
    assert stats.norm.sf(found.level[0]) == pytest.approx(expected.pvalue, rel=1e-6)
    assert found.effect[0] == pytest.approx(expected.statistic)
    assert found.rows.tolist() == [1, 0], "one look, whatever the rows, and none of a column that no row has"


@pytest.mark.parametrize("shift", [0.0, 0.15, 0.6])
def test_a_cramer_von_mises_reading_is_scipys(shift: float) -> None:
    rng, world = np.random.default_rng(2), World(1)
    after = rng.normal(10 + shift, 1, 400)
    view = world.view(0)
    assert view.inputs is not None
    view.inputs.sample = [(row, {"size": value, "weight": None}) for row, value in enumerate([*after.tolist(), None, math.nan])]
    expected = stats.cramervonmises_2samp(world.profile.numbers["size"].sample, after, method="asymptotic")
    found = feature_cvm.open_detector(setup_of(world)).read(view)
    if shift < 0.5:
        assert stats.norm.sf(found.level[0]) == pytest.approx(expected.pvalue, rel=1e-6)
    else:
        assert found.level[0] > 5, "farther out than SciPy's series can say"
    assert found.rows.tolist() == [1, 0], "one look, whatever the rows, and none of a column that no row has"


def test_the_mean_gap_is_that_of_two_cumulative_distributions() -> None:
    """A tenth of all rows moved from one value to another, far away: the gap is 0.1 over the half of the rows between."""
    before, after = np.repeat([0.0, 1.0, 2.0], [400, 200, 400]), np.repeat([0.0, 1.0, 2.0], [300, 300, 400])
    points = np.concatenate([before, after])
    gaps = [(before <= point).mean() - (after <= point).mean() for point in points]
    # Ties lie between the values before and after them; with few values it is only near.
    criterion = float(stats.cramervonmises_2samp(before, after).statistic)
    assert mean_gap(criterion, 1_000, 1_000) == pytest.approx(math.sqrt(np.mean(np.square(gaps))), rel=0.35)
    rng = np.random.default_rng(1)
    before, after = rng.normal(size=20_000), rng.normal(0.2, 1, 20_000)
    criterion = float(stats.cramervonmises_2samp(before, after).statistic)
    # The mean square of 0.2 times the density, over that density's own distribution.
    assert mean_gap(criterion, 20_000, 20_000) == pytest.approx(0.2 * math.sqrt(1 / (2 * math.pi * math.sqrt(3))), rel=0.1)
    assert mean_gap(0.1, 100, 100) == 0


def test_beyond_the_series_the_tail_goes_on_as_it_was() -> None:
    """At a chance of 1e-5 both say the same, and each further unit of the criterion is as improbable as a chi-square's."""
    rng = np.random.default_rng(3)
    before, after = rng.normal(size=2_000), rng.normal(0.235, 1, 500)
    near = stats.cramervonmises_2samp(before, after, method="asymptotic")
    assert 1e-6 < near.pvalue < 1e-4
    beyond = _tested.of_criterion(0.0, float(near.statistic), 2_000, 500)
    assert beyond.p_value == pytest.approx(near.pvalue, rel=0.02)
    assert _tested.of_criterion(0.5, float(near.statistic), 2_000, 500).p_value == 0.5
    chances = [_tested.of_criterion(0.0, criterion, 2_000, 500).p_value for criterion in (10.0, 11.0)]
    assert 0 < chances[1] / chances[0] == pytest.approx(math.exp(-(math.pi**2) / 2), rel=0.1)


def test_fishers_test_is_counted_by_hand() -> None:
    """Fisher's own: a lady who tells all four of eight cups; of 70 ways to choose one is right, and one is all wrong."""
    found = _tested.fisher(np.array([[4, 0], [0, 4]]))
    assert found == (pytest.approx(2 / 70), 1.0)
    world = World(1)
    view = world.view(0)
    assert view.losses is not None
    (signal,) = (detector := labels_fisher.open_detector(setup_of(world))).signals
    assert (signal.kind, signal.name, signal.rises_only) == ("label_drift", "label: Fisher's exact test", True)
    ones = round(world.profile.label_mean * 2_000)
    view.losses.positives, view.losses.negatives = [70, 20], [210]
    read = detector.read(view)
    expected = stats.fisher_exact([[90, 210], [ones, 2_000 - ones]]).pvalue
    assert (stats.norm.sf(read.level), read.rows) == (pytest.approx(expected), 1)
    assert read.effect == pytest.approx(abs(0.3 - ones / 2_000))
    assert detector.sketch(0, [view, view]) == ({"share": ones / 2_000}, {"share": 0.3, "rows": 600.0})
    view.losses.positives, view.losses.negatives = [0], [0]
    assert np.isnan(detector.read(view).level).all()
    assert list(labels_fisher.open_detector(setup_of(World(1, "regression"))).signals) == []


def test_small_samples_are_no_test_and_certainty_has_an_end() -> None:
    many = np.arange(100.0)
    assert kolmogorov_smirnov(many, many[: FEWEST - 1]) is None
    assert kolmogorov_smirnov(many[: FEWEST - 1], many) is None
    assert kolmogorov_smirnov(many, many[:FEWEST]) is not None
    assert cramer_von_mises(many, many[: FEWEST - 1]) is None
    assert cramer_von_mises(many, many[:FEWEST]) is not None
    found = readings([_tested.Tested(0.0, 1.0), None, _tested.Tested(1.0, 0.0), _tested.Tested(0.5, 0.1)])
    assert found.level[[0, 2, 3]] == pytest.approx([12, -12, 0])
    assert np.isnan(found.level[1])
    assert found.rows.tolist() == [1, 0, 1, 1]


def test_the_score_is_tested_like_a_number() -> None:
    world = World(1)
    view = world.view(0, is_broken=True)
    assert view.inputs is not None
    del view.inputs.sample[100:]
    scores = [row[SAMPLED_SCORE] for _, row in view.inputs.sample]
    expected = stats.ks_2samp(world.profile.score.sample, scores, method="asymp")
    found = score_ks.open_detector(setup_of(world)).read(view)
    assert found.effect == pytest.approx(expected.statistic)
    assert found.level == pytest.approx(stats.norm.isf(expected.pvalue))


def test_chi_square_is_pearsons_and_the_effect_cramers() -> None:
    world = World(1)
    table = two_samples(CategoryProfile(shares={"a": 0.5, "b": 0.3, "c": 0.2}, missing=0.0), 1_000, CategoryCounts(
        counts={"a": 230, "b": 190, "c": 80}
    ))  # fmt: skip
    assert table is not None
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    statistic = ((table - expected) ** 2 / expected).sum()
    found = chisquare(table)
    assert found.p_value == pytest.approx(stats.chi2.sf(statistic, 2))
    assert found.distance == pytest.approx(math.sqrt(statistic / 1_500))
    view = world.view(0)
    assert view.inputs is not None
    whole = two_samples(world.profile.categories["colour"], world.profile.rows, view.inputs.categories["colour"])
    assert whole is not None
    read = feature_chisquare.open_detector(setup_of(world)).read(view)
    assert stats.norm.sf(read.level) == pytest.approx(stats.chi2_contingency(whole).pvalue)


def test_rare_categories_share_a_cell_and_new_ones_are_seen() -> None:
    profile = CategoryProfile(shares={"a": 0.6, "b": 0.396, "c": 0.002, "d": 0.002}, missing=0.0)
    table = two_samples(profile, 1_000, CategoryCounts(counts={"a": 300, "b": 190, "c": 1}, unseen=9))
    assert table is not None
    assert table.tolist() == [[600, 396, 4], [300, 190, 10]]
    assert two_samples(profile, 1_000, CategoryCounts(counts={})) is None
    only = CategoryProfile(shares={"a": 1.0}, missing=0.0)
    assert two_samples(only, 1_000, CategoryCounts(counts={"a": 50})) is None
    assert two_samples(CategoryProfile(shares={}, missing=1.0), 1_000, CategoryCounts(counts={}, unseen=50)) is None


def outcomes(world: World, index: int, loss: float, rows: int = 1_000) -> BucketView:
    """A bucket whose mean loss is given, in reference deviations from the reference's mean."""
    view = world.view(index, rows=300)
    assert view.losses is not None
    mean = world.profile.loss_mean + loss * world.profile.loss_std
    view.losses.rows, view.losses.loss = rows, round(rows * mean * FIXED)
    return view


def test_the_mean_loss_is_read_in_deviations_of_a_row() -> None:
    world = World(6)
    detector = loss_mean.open_detector(setup_of(world))
    found = detector.read(outcomes(world, 0, 0.3))
    assert (found.level, found.effect, found.rows) == (pytest.approx(0.3, abs=1e-3), pytest.approx(0.3, abs=1e-3), 1_000)
    (signal,) = detector.signals
    assert signal.reference == world.profile.later_rows == 2_000
    assert signal.skewness == world.profile.loss_skew
    assert signal.fewest == max(10, world.profile.loss_skew**2)
    shown = detector.sketch(0, [outcomes(world, 0, 0.3, rows=300), outcomes(world, 1, 0.0, rows=100)])
    assert shown.after["mean"] == pytest.approx(world.profile.loss_mean + 0.225 * world.profile.loss_std, abs=1e-3)
    assert np.isnan(detector.read(outcomes(world, 0, 0.3, rows=0)).level).all()


def test_a_loss_that_never_varied_is_not_followed() -> None:
    world = World(6)
    world.profile = msgspec.structs.replace(world.profile, loss_std=0.0)
    for kind in (loss_mean, loss_adwin):
        detector = kind.open_detector(setup_of(world))
        assert list(detector.signals) == []
        assert detector.read(world.view(0)).level.shape == (0,)


def test_a_lasting_rise_of_the_loss_stays_an_alarm_until_it_is_over() -> None:
    world, rng = World(6), np.random.default_rng(6)
    levels = [0.0] * 30 + [0.3] * 30 + [0.0] * 60
    detector = loss_adwin.open_detector(setup_of(world))
    (signal,) = detector.signals
    said = []
    for index, level in enumerate(levels):
        one = detector.read(outcomes(world, index, level + float(rng.normal()) / math.sqrt(1_000)))
        said.append(one.level[0] > 0)
        assert not said[-1] or one.effect[0] >= signal.floor
    assert not any(said[:30])
    first = said.index(True)
    assert 30 < first <= 36
    assert all(said[first:60])
    assert not said[-1]


def test_a_fall_of_the_loss_is_no_alarm() -> None:
    world = World(7)
    detector = loss_adwin.open_detector(setup_of(world))
    found = [detector.read(outcomes(world, index, 0.0 if index < 25 else -0.5)) for index in range(60)]
    assert all(one.level == 0 and one.effect == 0 for one in found)
