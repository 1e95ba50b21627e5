"""What watches outcomes: labels and calibration worked out by hand."""

from __future__ import annotations

import math
from types import ModuleType

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from scipy import special, stats

from streams.contracts.schema import Task
from streams.contracts.summaries import FIXED, SCORE_BINS, LossSummary
from streams.detectors import calibration_error, labels_mean
from streams.detectors.base import BucketView, Detector
from streams.detectors.calibration_error import expected_calibration_error
from streams.detectors.checks import World, setup_of

Floats = npt.NDArray[np.float64]

CENTRES = (np.arange(SCORE_BINS) + 0.5) / SCORE_BINS


def with_losses(world: World, **changes: object) -> BucketView:
    view = world.view(0)
    assert view.losses is not None
    return view._replace(losses=msgspec.structs.replace(view.losses, **changes))


def counted(world: World, positives: Floats, negatives: Floats) -> BucketView:
    whole = [np.rint(counts).astype(int).tolist() for counts in (positives, negatives)]
    return with_losses(world, rows=sum(map(sum, whole)), positives=whole[0], negatives=whole[1])


def at(bins: list[int]) -> Floats:
    return np.bincount(bins, minlength=SCORE_BINS).astype(np.float64)


def calibrated(world: World, rows: Floats) -> Detector:
    """Open it with a reference whose scores are true: of each bin's rows as many are positive as the bin's middle says."""
    positives, negatives = ((rows * share).tolist() for share in (CENTRES, 1 - CENTRES))
    world.profile = msgspec.structs.replace(world.profile, positives=positives, negatives=negatives)
    return calibration_error.open_detector(setup_of(world))


def test_positives_are_counted_as_a_share():
    world = World(1)
    world.profile = msgspec.structs.replace(world.profile, label_mean=0.2)
    detector = labels_mean.open_detector(setup_of(world))
    (signal,) = detector.signals
    assert (signal.kind, signal.name, signal.share, signal.reference) == ("label_drift", "label: share of positives", 0.2, 2_000)
    view = counted(world, at([3] * 30 + [90] * 45), at([5] * 225))
    found = detector.read(view)
    assert (found.rows.tolist(), found.effect) == ([300], pytest.approx(0.05))
    # Twice the difference of the arcsines of the shares' roots.
    assert found.level == pytest.approx(2 * (math.asin(math.sqrt(0.25)) - math.asin(math.sqrt(0.2))), abs=2e-3)
    assert detector.sketch(0, [view, view]) == ({"share": 0.2}, {"share": 0.25, "rows": 600.0})
    assert np.isnan(detector.read(counted(world, at([]), at([]))).level).all()
    assert np.isnan(detector.read(view._replace(losses=None)).level).all()


def test_the_mean_of_a_regressions_labels_is_read_in_deviations():
    world = World(1, "regression")
    world.profile = msgspec.structs.replace(world.profile, label_mean=-4.0, label_std=2.0, label_skew=3.0)
    detector = labels_mean.open_detector(setup_of(world))
    (signal,) = detector.signals
    assert (signal.name, signal.skewness, signal.reference) == ("label: mean", 3.0, 2_000)
    # Two rows at -5 and -2 lie half above -4, a quarter of a deviation.
    view = with_losses(world, rows=2, labels=-7 * FIXED, label_squares=29 * FIXED)
    found = detector.read(view)
    assert (found.level, found.effect, found.rows.tolist()) == (pytest.approx(0.25), pytest.approx(0.25), [2])
    before, after = detector.sketch(0, [view, view])
    assert before == {"mean": -4.0, "deviation": 2.0}
    assert after == pytest.approx({"mean": -3.5, "deviation": 1.5, "rows": 4})


@pytest.mark.parametrize("kind", [labels_mean, calibration_error])
def test_what_an_older_regression_lacks_is_no_news(kind: ModuleType) -> None:
    world = World(1, "regression")
    detector = kind.open_detector(setup_of(world))
    old = with_losses(world, labels=None, label_squares=None, scores=None)
    for view in (old, with_losses(world, rows=0, labels=0, scores=0)):
        found = detector.read(view)
        assert np.isnan(found.level).all()
        assert not found.rows.any()
    new = world.view(0)
    assert detector.sketch(0, [old, new]) == detector.sketch(0, [new])
    world.profile = msgspec.structs.replace(world.profile, label_std=0.0, residual_std=0.0)
    nobody_measured = kind.open_detector(setup_of(world))
    assert list(nobody_measured.signals) == []
    assert nobody_measured.read(new).level.shape == (0,)


def test_a_summary_of_before_is_read_and_has_no_sums():
    losses = World(1).view(0).losses
    new = {"labels", "label_squares", "scores"}
    kept = {name: value for name, value in msgspec.to_builtins(losses).items() if name not in new}
    old = msgspec.convert(kept, LossSummary)
    assert (old.labels, old.label_squares, old.scores, old.rows) == (None, None, None, 600)


def test_the_reference_itself_is_calibrated_as_it_was():
    world = World(2)
    detector = calibration_error.open_detector(setup_of(world))
    assert [signal.name for signal in detector.signals] == ["calibration: in the large", "calibration: slope"]
    assert {(signal.kind, signal.unit, signal.floor, signal.reference) for signal in detector.signals} == {
        ("performance", "probability", 0.02, 2_000)
    }
    found = detector.read(counted(world, np.array(world.profile.positives), np.array(world.profile.negatives)))
    assert found.level == pytest.approx([0, 0], abs=1e-12)
    assert found.rows.tolist() == [2_000, 2_000]


def test_each_row_has_mean_0_and_variance_1_in_the_reference():
    world = World(2)
    detector = calibration_error.open_detector(setup_of(world))
    shares = np.r_[world.profile.positives, world.profile.negatives] / 2_000
    one = np.eye(SCORE_BINS)
    rows = [counted(world, row, 0 * row) for row in one] + [counted(world, 0 * row, row) for row in one]
    levels = np.array([detector.read(row).level for row in rows])
    assert shares @ levels == pytest.approx([0, 0], abs=1e-12)
    assert shares @ levels**2 == pytest.approx([1, 1])
    assert shares @ levels**3 == pytest.approx([signal.skewness for signal in detector.signals])


def test_scores_that_are_all_too_low_are_off_in_the_large():
    """Three points more of each bin are positive than its scores say."""
    world = World(3)
    inside = (CENTRES > 0.1) & (CENTRES < 0.9)
    rows = np.where(inside, 10_000.0, 0.0)
    detector = calibrated(world, rows)
    found = detector.read(counted(world, rows * (CENTRES + 0.03), rows * (1 - CENTRES - 0.03)))
    assert found.effect[0] == pytest.approx(0.03)
    # The variance of label less score, where scores are true, is that of the label.
    assert found.level[0] == pytest.approx(0.03 / math.sqrt((CENTRES * (1 - CENTRES))[inside].mean()))


@pytest.mark.parametrize("bold", [-1, 1])
def test_scores_that_are_too_bold_or_too_timid_are_off_in_the_slope(bold: int) -> None:
    """Rates that are off by four points for each deviation of the log odds from their middle."""
    world = World(3)
    rows = np.where((CENTRES > 0.1) & (CENTRES < 0.9), 10_000.0, 0.0)
    detector = calibrated(world, rows)
    odds, varying = special.logit(CENTRES), rows * CENTRES * (1 - CENTRES)
    middle = (varying * odds).sum() / varying.sum()
    steps = (odds - middle) / math.sqrt((rows * (odds - middle) ** 2).sum() / rows.sum())
    rates = CENTRES - bold * 0.04 * steps
    found = detector.read(counted(world, rows * rates, rows * (1 - rates)))
    assert found.effect[1] == pytest.approx(-bold * 0.04, abs=1e-4)
    assert found.effect[0] == pytest.approx(0, abs=1e-4), "scores are symmetric"


def test_log_odds_that_are_off_by_a_constant_leave_the_slope_alone():
    """To the first order: intercept and slope are told apart wherever the scores lie."""
    world = World(3)
    rows = np.where(CENTRES < 0.3, 1_000.0, 0.0)
    detector = calibrated(world, rows)
    rates = special.expit(special.logit(CENTRES) + 0.01)
    found = detector.read(counted(world, 1_000 * rows * rates, 1_000 * rows * (1 - rates)))
    assert found.level[0] > 20 * abs(found.level[1])


def test_few_of_a_label_or_scores_that_are_all_alike_are_not_followed():
    world = World(3)
    for positives, negatives, names in (
        (at([7] * 9), at([3] * 900), []),
        (at([3] * 900), at([7] * 9), []),
        (at([7] * 10), at([7] * 900), ["in the large"]),
        (at([]), at([]), []),
    ):
        world.profile = msgspec.structs.replace(world.profile, positives=positives.tolist(), negatives=negatives.tolist())
        detector = calibration_error.open_detector(setup_of(world))
        assert [signal.aspect for signal in detector.signals] == names
        assert detector.read(world.view(0)).level.shape == (len(names),)


def test_what_is_shown_is_counted_by_hand():
    world = World(3)
    detector = calibration_error.open_detector(setup_of(world))
    # Scores of 0.0525 and 0.9525: three of ten and four of ten are positive.
    view = counted(world, at([10] * 3 + [190] * 4), at([10] * 7 + [190] * 6))
    _, after = detector.sketch(0, [view, view])
    error = (abs(0.3 - 0.0525) + abs(0.4 - 0.9525)) / 2
    assert after == pytest.approx({"expected": 0.5025, "observed": 0.35, "calibration_error": error, "rows": 40})
    # Within a tenth of the score what is too high makes up for what is too low.
    assert expected_calibration_error(at([0]), at([19])) == pytest.approx(0.45)
    assert detector.sketch(0, []).after == {"expected": 0.0, "observed": 0.0, "calibration_error": 0.0, "rows": 0.0}


def test_a_residual_is_label_less_score():
    world = World(4, "regression")
    world.profile = msgspec.structs.replace(world.profile, residual_mean=0.5, residual_std=2.0, residual_skew=1.5)
    detector = calibration_error.open_detector(setup_of(world))
    (signal,) = detector.signals
    assert (signal.kind, signal.name, signal.skewness) == ("performance", "calibration: in the large", 1.5)
    view = with_losses(world, rows=4, labels=9 * FIXED, scores=3 * FIXED)
    found = detector.read(view)
    assert (found.level, found.effect, found.rows.tolist()) == (pytest.approx(0.5), pytest.approx(0.5), [4])
    assert detector.sketch(0, [view]) == ({"mean_residual": 0.5}, {"mean_residual": 1.5, "rows": 4.0})


@pytest.mark.parametrize("task", ["binary", "regression"])
@pytest.mark.parametrize("kind", [labels_mean, calibration_error])
def test_quiet_buckets_are_as_surprising_as_chance(kind: ModuleType, task: Task) -> None:
    """With a reference that is sure, one in a hundred buckets is beyond 2.33 on one side."""
    world = World(5, task, reference_rows=400_000)
    detector = kind.open_detector(setup_of(world))
    levels = np.array([detector.read(world.view(index)).level for index in range(400)]) * math.sqrt(world.rows)
    assert levels.std(axis=0) == pytest.approx(np.ones(levels.shape[1]), abs=0.15)
    most = stats.binom.isf(1e-4, levels.size, 2 * stats.norm.sf(2.33))
    assert np.sum(np.abs(levels) > 2.33) <= most
