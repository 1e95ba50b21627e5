"""The statistics behind the detectors, each against a count, a formula or another library."""

from __future__ import annotations

import importlib.util
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from streams.contracts.bundle import CategoryProfile
from streams.contracts.errors import PluginError, StreamsError
from streams.contracts.summaries import FIXED, SAMPLED_SCORE, CategoryCounts
from streams.detectors import _tested, alibi_tabular, feature_chisquare, feature_ks, loss_adwin, loss_mean, score_ks
from streams.detectors._measures import auc
from streams.detectors._tables import two_samples
from streams.detectors._tested import FEWEST, kolmogorov_smirnov, readings
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


def test_small_samples_are_no_test_and_certainty_has_an_end() -> None:
    many = np.arange(100.0)
    assert kolmogorov_smirnov(many, many[: FEWEST - 1]) is None
    assert kolmogorov_smirnov(many[: FEWEST - 1], many) is None
    assert kolmogorov_smirnov(many, many[:FEWEST]) is not None
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


def test_alibi_detect_gives_our_p_values() -> None:
    """Equal to ours once ours are rounded to float32, in which that library keeps its own."""
    if importlib.util.find_spec("alibi_detect") is None:
        pytest.skip("the extra alibi is not installed")
    setup = setup_of(World(0))
    views = [World(9).view(0), World(10).view(0, is_broken=True), World(11).view(0)]
    theirs = alibi_tabular.open_detector(setup)
    ours = feature_ks.open_detector(setup), feature_chisquare.open_detector(setup)
    assert [signal.watched for signal in theirs.signals] == ["size", "weight", "colour"]
    try:
        for view in views:
            found, expected = theirs.read(view), [detector.read(view) for detector in ours]
            level, effect = (np.concatenate([one[part] for one in expected]) for part in (0, 2))
            rounded = stats.norm.sf(level).astype(np.float32).astype(np.float64)
            assert stats.norm.sf(found.level) == pytest.approx(rounded, abs=1e-9)
            assert found.effect == pytest.approx(effect, rel=1e-6)
        little = theirs.read(World(9).view(0, rows=10))
        assert np.isnan(little.level[0]), "a sample that is too small for a test"
    finally:
        theirs.close()
    assert theirs._worker is None


def test_a_dead_alibi_process_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = alibi_tabular.open_detector(setup_of(World(0)))
    monkeypatch.setattr(alibi_tabular.sys, "executable", "/bin/false")
    with pytest.raises(StreamsError, match="alibi-detect's process"):
        detector.read(World(0).view(0))
    detector.close()


def test_without_alibi_detect_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alibi_tabular.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PluginError, match=r"driftwake\[alibi\]"):
        alibi_tabular.open_detector(setup_of(World(0)))
