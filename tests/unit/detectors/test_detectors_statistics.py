"""The statistics behind the detectors, each against a count, a formula or another library."""

from __future__ import annotations

import importlib.util
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from streams.contracts.bundle import CategoryProfile, Interval
from streams.contracts.errors import PluginError, StreamsError
from streams.contracts.summaries import FIXED, CategoryCounts, LossSummary
from streams.detectors import alibi_tabular, feature_chisquare, feature_ks, inputs_quality, loss_adwin, performance_auc
from streams.detectors._measures import auc, rmse
from streams.detectors._tables import two_samples
from streams.detectors.base import BucketView, Finding, Stateless
from streams.detectors.checks import DAY_MS, World, check_loud, check_nothing, check_repeatable, check_silent, setup_of
from streams.detectors.inputs_quality import more_than


class Fixed(Stateless):
    """Says the same of every bucket."""

    def __init__(self, *findings: Finding) -> None:
        self._findings = list(findings)

    def look(self, view: BucketView) -> list[Finding]:
        return self._findings


def finding(p_value: float = 0.0, effect: float = 1.0, kind: str = "feature_drift") -> Finding:
    return Finding(kind, "x", "method", p_value, effect, 0.1, "unit", {}, {})


def module_of(*findings: Finding) -> SimpleNamespace:
    return SimpleNamespace(KINDS=("feature_drift",), LEVELLED=False, open_detector=lambda setup: Fixed(*findings))


def test_the_checks_fail_detectors_that_shout_sleep_or_invent() -> None:
    with pytest.raises(AssertionError, match="quiet buckets"):
        check_silent(module_of(finding()), worlds=1)
    with pytest.raises(AssertionError, match="stayed silent"):
        check_loud(module_of(finding(p_value=1.0)))
    with pytest.raises(AssertionError, match="stayed silent"):
        check_loud(module_of(finding(effect=0.01)))
    with pytest.raises(AssertionError, match="doesn't name"):
        check_loud(module_of(finding(kind="performance")))
    with pytest.raises(AssertionError, match="numbers that are none"):
        check_repeatable(module_of(finding(effect=math.nan)))
    with pytest.raises(AssertionError, match="verdict on nothing"):
        check_nothing(module_of(finding()))


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


def test_rmse_and_its_error() -> None:
    rng = np.random.default_rng(1)
    errors = rng.normal(0, 2, 5_000) ** 2
    summary = World(0, "regression").view(0).losses
    assert isinstance(summary, LossSummary)
    summary.rows = len(errors)
    summary.loss, summary.loss_squares = round(errors.sum() * FIXED), round((errors**2).sum() * FIXED)
    measured = rmse([summary])
    assert measured is not None
    assert measured.value == pytest.approx(math.sqrt(errors.mean()), rel=1e-6)
    # The root of a mean of squared normals has error sigma / sqrt(2 n).
    assert measured.error == pytest.approx(2 / math.sqrt(2 * 5_000), rel=0.1)
    assert rmse([]) is None


@given(st.integers(0, 5), st.integers(0, 8), st.integers(5, 30), st.integers(8, 30))
@settings(max_examples=80, deadline=None)
def test_more_than_is_fishers_exact_test(before: int, after: int, before_rows: int, after_rows: int) -> None:
    table = [[after, after_rows - after], [before, before_rows - before]]
    assert more_than((before, before_rows), (after, after_rows)) == pytest.approx(
        stats.fisher_exact(table, alternative="greater").pvalue, rel=1e-9
    )


def test_one_value_beyond_the_extremes_has_the_exact_chance_of_exchangeable_draws() -> None:
    # The largest of n + m draws is among the m new ones with chance m / (n + m).
    assert more_than((0, 900), (1, 100)) == pytest.approx(0.1)
    assert more_than((0, 900), (0, 100)) == 1.0


def test_quality_names_what_is_wrong_and_keeps_to_its_floor() -> None:
    view = World(4).view(0, is_broken=True)
    found = {one.watched: one for one in inputs_quality.open_detector(setup_of()).look(view)}
    assert set(found) == {
        "size: missing", "size: out of range", "colour: missing", "colour: unseen category",
    }  # fmt: skip
    assert found["size: missing"].p_value < 1e-10
    assert found["size: missing"].effect == pytest.approx(0.25, abs=0.07)
    assert found["colour: unseen category"].is_large
    assert found["colour: missing"].p_value == 1.0
    assert not found["colour: missing"].is_large


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


def test_a_lasting_rise_of_the_loss_stays_an_alarm_until_it_is_over() -> None:
    world, rng = World(6), np.random.default_rng(6)
    levels = [0.0] * 30 + [0.3] * 30 + [0.0] * 60
    detector = loss_adwin.open_detector(setup_of())
    said = []
    for index, level in enumerate(levels):
        (one,) = detector.look(outcomes(world, index, level + float(rng.normal()) / math.sqrt(1_000)))
        said.append(one.p_value <= (one.level or 0) and one.is_large)
    assert not any(said[:30])
    first = said.index(True)
    assert 30 < first <= 36
    assert all(said[first:60])
    assert not said[-1]


def test_a_fall_of_the_loss_is_no_alarm() -> None:
    world = World(7)
    detector = loss_adwin.open_detector(setup_of())
    found = [detector.look(outcomes(world, index, 0.0 if index < 25 else -0.5))[0] for index in range(60)]
    assert all(one.p_value == 1.0 for one in found)


def test_performance_compares_a_trailing_window_with_what_was_validated() -> None:
    world = World(8, reference_rows=20_000)
    detector = performance_auc.open_detector(setup_of())
    rows = [detector.look(world.view(index))[0].after["rows"] for index in range(10)]
    assert rows == [600.0 * min(index + 1, 7) for index in range(10)]
    better = world.manifest.metrics["auc"]
    promised = Interval(better.value + 0.1, better.low + 0.1, better.high + 0.1)
    high = world.view(10)._replace(manifest=world.manifest.__class__(**_fields(world) | {"metrics": {"auc": promised}}))
    (found,) = detector.look(high)
    assert found.is_large
    assert found.p_value < 0.001
    assert not detector.look(high._replace(start_ms=40 * DAY_MS, end_ms=41 * DAY_MS, losses=None))
    assert not detector.look(world.view(41, rows=100)), "a window with too few rows"


def _fields(world: World) -> dict[str, object]:
    return {name: getattr(world.manifest, name) for name in world.manifest.__struct_fields__}


def test_alibi_detect_gives_our_p_values() -> None:
    """Equal to ours once ours are rounded to float32, in which that library keeps its own."""
    if importlib.util.find_spec("alibi_detect") is None:
        pytest.skip("the extra alibi is not installed")
    views = [World(9).view(0), World(10).view(0, is_broken=True), World(11).view(0)]
    theirs = alibi_tabular.open_detector(setup_of())
    ours = feature_ks.open_detector(setup_of()), feature_chisquare.open_detector(setup_of())
    try:
        for view in views:
            expected = {one.watched: one for detector in ours for one in detector.look(view)}
            found = {one.watched: one for one in theirs.look(view)}
            assert found.keys() == expected.keys() == {"size", "colour"}
            for name, one in found.items():
                assert abs(one.p_value - float(np.float32(expected[name].p_value))) <= 1e-9
                assert one.effect == pytest.approx(expected[name].effect, rel=1e-6)
    finally:
        theirs.close()
    assert theirs._worker is None


def test_a_dead_alibi_process_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = alibi_tabular.open_detector(setup_of())
    monkeypatch.setattr(alibi_tabular.sys, "executable", "/bin/false")
    with pytest.raises(StreamsError, match="alibi-detect's process"):
        detector.look(World(0).view(0))
    detector.close()


def test_without_alibi_detect_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alibi_tabular.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PluginError, match=r"driftwake\[alibi\]"):
        alibi_tabular.open_detector(setup_of())
