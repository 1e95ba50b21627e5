"""Loss that is expected of what comes, by weights of known rows and by trees: against refits, formulas and what it really is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from skills._kit.metrics import losses
from streams.contracts.bundle import Profile
from streams.contracts.schema import Task
from streams.contracts.summaries import SAMPLED_SCORE, InputSummary, NumberCounts
from streams.detectors import loss_expected, performance_estimated, performance_reweighted
from streams.detectors._known import known_rows
from streams.detectors._measures import row_losses
from streams.detectors._tested import FEWEST
from streams.detectors.base import BucketView, Floats, Setup
from streams.detectors.checks import World, setup_of
from streams.detectors.performance_reweighted import _RIDGES, _left_out, _parts, _Weighting
from streams.measuring.losses import _log_loss
from streams.monitoring.config import OURS

Columns = Mapping[str, Floats]


def setup_for(reference: Columns, task: Task = "regression", loss_std: float = 1.0) -> Setup:
    """The setup of a bundle whose reference has columns, labels and scores."""
    world = World(0, task)
    names = [name for name in reference if name not in {"label", SAMPLED_SCORE}]
    profile = msgspec.structs.replace(
        world.profile, numbers=dict.fromkeys(names, world.profile.numbers["size"]), categories={}, loss_std=loss_std
    )
    table = pa.table({name: pa.array(values, from_pandas=True) for name, values in reference.items()})
    return setup_of(world)._replace(profile=profile, read_rows=lambda: table)


def bucket(columns: Columns, number: int = 0) -> BucketView:
    view = World(0).view(number, rows=30)
    assert view.inputs is not None
    values = {name: [None if math.isnan(one) else one for one in column.tolist()] for name, column in columns.items()}
    rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return view._replace(inputs=msgspec.structs.replace(view.inputs, sample=list(enumerate(rows))))


def stepped(rows: int, seed: int) -> dict[str, Floats]:
    """A regression whose squared error is 1, 4, 9, 16 and 25 in the fifths of x, about, and has nothing to do with y."""
    generator = np.random.default_rng(seed)
    x, y = generator.random(rows), generator.normal(size=rows)
    label = np.floor(5 * x) + 1 + generator.normal(0, 0.05, rows)
    return {"x": x, "y": y, "label": label, SAMPLED_SCORE: np.zeros(rows)}


def unsure(rows: int, seed: int) -> dict[str, Floats]:
    """A binary model whose scores are right where x is below 0, and a toss-up above; scores don't hang on x."""
    generator = np.random.default_rng(seed)
    x, score = generator.normal(size=rows), generator.choice([0.1, 0.9], rows) + generator.normal(0, 0.01, rows)
    chance = np.where(x < 0, score, 0.5)
    return {"x": x, "label": (generator.random(rows) < chance).astype(float), SAMPLED_SCORE: score}


def only(columns: Columns, kept: Floats) -> dict[str, Floats]:
    return {name: values[kept] for name, values in columns.items()}


def test_the_weighted_mean_is_that_of_the_parts_in_the_shares_that_they_have_now() -> None:
    reference = stepped(4_000, 0)
    detector = performance_reweighted.open_detector(setup_for(reference, loss_std=2.0))
    (signal,) = detector.signals
    assert (signal.kind, signal.watched, signal.reference, signal.rises_only) == ("performance_estimate", "loss", 2_000, True)
    new = stepped(4_000, 1)
    for kept in (new["x"] > 0.8, new["x"] < 0.2, (new["x"] < 0.2) | (new["x"] > 0.8), new["x"] > 0):
        view = bucket(only(new, kept))
        expected = losses("regression", new["label"][kept], np.zeros(kept.sum())).mean()
        found = detector.read(view)
        assert detector.sketch(0, [view]).after["estimated_loss"] == pytest.approx(expected, rel=0.05)
        usual = losses("regression", reference["label"], np.zeros(4_000)).mean()
        assert found.effect[0] == pytest.approx((expected - usual) / 2.0, abs=0.4), "in deviations of a row's loss"
        assert found.rows[0] == kept.sum()
        assert found.effect[0] == pytest.approx(found.level[0] * signal.scale)


def test_the_rise_is_what_the_explicit_weights_of_least_squares_make_of_the_losses() -> None:
    known = known_rows(setup_of(World(3)))
    assert known is not None
    points, half = known.points, len(known.points) // 2
    weighting = _Weighting(known.points, known.losses)
    parts, loss = _parts(points[:half]), known.losses[:half]
    away = parts - parts.mean(axis=0)
    rows, widths, _ = np.linalg.svd(away, full_matrices=False)
    ridge = _RIDGES[np.argmin([_left_out((rows, widths), loss, half * one) for one in _RIDGES])]
    new = points[half:][points[half:, 0] > 0.3]
    shift = _parts(new).mean(axis=0) - _parts(points[half:]).mean(axis=0)
    weights = 1 + away @ np.linalg.solve(away.T @ away / half + ridge * np.eye(parts.shape[1]), shift)
    assert weights.mean() == pytest.approx(1)
    assert weights.std() > 0.1
    assert weighting.rises(new).mean() == pytest.approx((weights * loss).mean() - loss.mean())
    told = weighting.told(new)
    assert told["estimated_loss"] == pytest.approx((weights * loss).sum() / weights.sum())
    assert told["effective_rows"] == pytest.approx(weights.sum() ** 2 / (weights**2).sum())


def test_a_row_that_is_left_out_is_told_what_a_fit_on_all_others_says() -> None:
    generator = np.random.default_rng(0)
    parts = (generator.random((40, 6)) < 0.3).astype(float)
    loss = parts[:, 0] + generator.normal(size=40)
    away = parts - parts.mean(axis=0)
    rows, widths, _ = np.linalg.svd(away, full_matrices=False)
    for ridge in (0.5, 20.0):
        errors = []
        for out in range(40):
            others = np.arange(40) != out
            # The middle that parts are measured from is all rows': left in, as in the closed form.
            design = np.c_[np.ones(39), away[others]]
            penalty = np.diag([0.0, *[ridge] * 6])
            fitted = np.linalg.solve(design.T @ design + penalty, design.T @ loss[others])
            errors.append(loss[out] - np.r_[1.0, away[out]] @ fitted)
        assert _left_out((rows, widths), loss, ridge) == pytest.approx(np.mean(np.square(errors)))
    assert _left_out((rows, widths), loss, math.inf) == pytest.approx(loss.var() * (40 / 39) ** 2)


def test_what_chance_makes_of_a_row_is_measured_on_rows_that_weights_know_nothing_of() -> None:
    """Of so few known rows weights learn mostly what chance did; on new rows that has the deviation that it says all the same."""
    generator = np.random.default_rng(1)

    def noise(rows: int) -> dict[str, Floats]:
        x = generator.normal(size=(rows, 6))
        label = generator.normal(size=rows) * np.exp(0.4 * x[:, 0])
        return {f"x{place}": values for place, values in enumerate(x.T)} | {"label": label, SAMPLED_SCORE: np.zeros(rows)}

    levels = []
    for _ in range(40):
        detector = performance_reweighted.open_detector(setup_for(noise(240)))
        if detector.signals:
            levels += [[detector.read(bucket(noise(100), number)).level[0] * 10 for number in range(10)]]
    assert len(levels) > 20
    # The reference's 120 rows err for all ten buckets together: 100 / 120 more.
    assert np.mean(np.square(levels)) == pytest.approx(1 + 100 / 120, rel=0.25)
    assert np.mean(np.var(levels, axis=1, ddof=1)) == pytest.approx(1, rel=0.2)


def test_where_inputs_say_nothing_of_the_loss_nothing_is_followed() -> None:
    generator = np.random.default_rng(5)
    reference = {"x": generator.normal(size=600), "label": generator.normal(size=600), SAMPLED_SCORE: np.zeros(600)}
    assert list(performance_reweighted.open_detector(setup_for(reference)).signals) == []
    told = {**reference, "label": reference["label"] * np.exp(reference["x"])}
    assert len(performance_reweighted.open_detector(setup_for(told)).signals) == 1
    assert list(performance_reweighted.open_detector(setup_for(told, loss_std=0.0)).signals) == []


def test_it_finds_harm_that_scores_do_not_show() -> None:
    """More rows come on which the model is a toss-up, with the scores that it always gives."""
    reference, new = unsure(4_000, 0), unsure(4_000, 1)
    loss = losses("binary", reference["label"], reference[SAMPLED_SCORE])
    setup = setup_for(reference, "binary", float(loss.std()))
    detector = performance_reweighted.open_detector(setup)
    hard = only(new, new["x"] > 0)
    view = bucket(only(hard, np.arange(500)))
    found = detector.read(view)
    assert found.level[0] * math.sqrt(500) > 6
    expected = losses("binary", hard["label"], hard[SAMPLED_SCORE]).mean()
    shown = detector.sketch(0, [view])
    assert shown.before["estimated_loss"] == pytest.approx(loss.mean(), rel=0.1)
    assert shown.after["estimated_loss"] == pytest.approx(expected, rel=0.1)
    by_score = performance_estimated.open_detector(setup._replace(profile=_outcomes(setup.profile, reference)))
    counts = np.histogram(hard[SAMPLED_SCORE], [-1, 0.5, 2])[0].tolist()
    assert view.inputs is not None
    summary = msgspec.structs.replace(view.inputs, score=NumberCounts(bins=counts))
    assert np.abs(by_score.read(view._replace(inputs=summary)).effect).max() < 0.05


def _outcomes(profile: Profile, rows: Columns) -> Profile:
    """The profile with outcomes in two bins of the score."""
    place = (rows[SAMPLED_SCORE] > 0.5).astype(int)
    loss = losses("binary", rows["label"], rows[SAMPLED_SCORE])
    counts = np.bincount(place)
    assert profile.outcomes is not None
    outcomes = msgspec.structs.replace(
        profile.outcomes, rows=counts.tolist(), loss=(np.bincount(place, loss) / counts).tolist(),
        positives=np.bincount(place, rows["label"]).astype(int).tolist(),
        right=np.bincount(place, (rows["label"] > 0.5) == (rows[SAMPLED_SCORE] > 0.5)).astype(int).tolist(),
    )  # fmt: skip
    return msgspec.structs.replace(profile, outcomes=outcomes)


def test_rows_that_are_unlike_all_known_ones_are_told_from_few() -> None:
    detector = performance_reweighted.open_detector(setup_for(stepped(4_000, 0)))
    new = stepped(4_000, 1)
    views = [bucket(new), bucket(only(new, new["x"] > 0.8), 1)]
    for view in views:
        detector.read(view)
    alike, apart = (detector.sketch(0, [view]) for view in views)
    assert alike.before["effective_rows"] == 2_000
    assert alike.after["effective_rows"] > 1_950
    assert apart.after["effective_rows"] == pytest.approx(2_000 / 5, rel=0.05), "a fifth of the rows has all the weight"
    assert detector.sketch(0, [bucket(new, 9)]).after == {}


def test_fewer_hard_rows_are_a_fall() -> None:
    detector = performance_reweighted.open_detector(setup_for(stepped(4_000, 0)))
    new = stepped(2_000, 1)
    assert detector.read(bucket(only(new, new["x"] < 0.4))).level[0] < -0.5


def test_bundles_of_before_scores_travelled_and_small_ones_say_nothing() -> None:
    reference = stepped(4_000, 0)
    nobody = np.full(4_000, np.nan)
    few, unlabelled = ({**reference, name: np.where(np.arange(4_000) < 4 * FEWEST - 1, reference[name], nobody)}
                       for name in (SAMPLED_SCORE, "label"))  # fmt: skip
    for lacking in (
        {name: values for name, values in reference.items() if name != SAMPLED_SCORE},
        {name: values for name, values in reference.items() if name != "label"},
        few,
        unlabelled,
        {"x": np.zeros(4_000), "label": reference["label"], SAMPLED_SCORE: np.zeros(4_000)},
    ):
        detector = performance_reweighted.open_detector(setup_for(lacking))
        assert list(detector.signals) == []
        assert [part.shape for part in detector.read(bucket(stepped(100, 1)))] == [(0,)] * 3
    assert list(performance_reweighted.open_detector(setup_for(reference)._replace(read_rows=lambda: None)).signals) == []
    enough = {**reference, SAMPLED_SCORE: np.where(np.arange(4_000) < 4 * FEWEST, 0.0, nobody)}
    (signal,) = performance_reweighted.open_detector(setup_for(enough)).signals
    assert signal.reference == 2 * FEWEST
    some = {**reference, "label": np.where(np.arange(4_000) < 1_000, reference["label"], nobody)}
    (signal,) = performance_reweighted.open_detector(setup_for(some)).signals
    assert signal.reference == 500, "rows without a label aren't known"


def test_sampled_rows_without_a_score_are_left_out() -> None:
    detector = performance_reweighted.open_detector(setup_for(stepped(4_000, 0)))
    new, is_seen = stepped(300, 1), np.arange(300) % 3 > 0
    half = {**new, SAMPLED_SCORE: np.where(is_seen, np.nan, 0.0)}
    found, expected = (detector.read(bucket(one)) for one in (half, only(new, ~is_seen)))
    assert (found.level[0], found.rows[0]) == (expected.level[0], 100)
    few = {**new, SAMPLED_SCORE: np.where(np.arange(300) < FEWEST - 1, 0.0, np.nan)}
    without: list[dict[str, Any]] = [{"x": 0.5, SAMPLED_SCORE: 0.0}] * 100
    view = bucket(new)
    assert isinstance(view.inputs, InputSummary)
    lacking = view._replace(inputs=msgspec.structs.replace(view.inputs, sample=list(enumerate(without))))
    for nothing in (bucket(few), lacking, view._replace(inputs=None)):
        found = detector.read(nothing)
        assert np.isnan(found.level).all()
        assert found.rows.tolist() == [0]


@pytest.mark.parametrize("strange", [math.nan, math.inf, -math.inf])
def test_values_that_are_no_numbers_lie_where_missing_ones_do(strange: float) -> None:
    detector = performance_reweighted.open_detector(setup_for(stepped(4_000, 0)))
    new = stepped(200, 1)
    found, missing = (detector.read(bucket({**new, "x": np.full(200, one)})).level[0] for one in (strange, math.nan))
    assert found == missing
    assert math.isfinite(found)


def test_losses_are_those_that_measuring_and_training_count() -> None:
    generator = np.random.default_rng(0)
    labels, scores = (generator.random(50) < 0.5).astype(float), np.r_[0.0, 1.0, generator.random(48)]
    np.testing.assert_allclose(row_losses("binary", labels, scores), losses("binary", labels, scores))
    np.testing.assert_array_equal(row_losses("binary", labels, scores), _log_loss(scores, labels))
    values = generator.normal(size=50)
    np.testing.assert_array_equal(row_losses("regression", values, scores), losses("regression", values, scores))


def test_none_is_asked_unless_it_is_wanted() -> None:
    assert not {"performance_reweighted", "loss_expected"} & set(OURS)


def together(rows: int, seed: int) -> dict[str, Floats]:
    """A regression that errs where x and y have different signs, which neither tells alone."""
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=(2, rows))
    label = generator.normal(size=rows) * np.where(x * y < 0, 2.0, 0.5)
    return {"x": x, "y": y, "label": label, SAMPLED_SCORE: np.zeros(rows)}


def test_trees_expect_the_loss_that_it_turns_out_to_be_where_columns_tell_it_together() -> None:
    reference, new = together(5_000, 0), together(4_000, 1)
    loss = reference["label"] ** 2
    setup = setup_for(reference, loss_std=float(loss.std()))
    detector = loss_expected.open_detector(setup)
    (signal,) = detector.signals
    assert (signal.kind, signal.watched, signal.reference, signal.rises_only) == ("performance_estimate", "loss", 2_500, True)
    hard = new["x"] * new["y"] < 0
    for kept in (hard, ~hard, hard | True):
        view = bucket(only(new, kept))
        found = detector.read(view)
        shown = detector.sketch(0, [view])
        assert shown.before["estimated_loss"] == pytest.approx(loss.mean(), rel=0.1)
        # Of rows on which it errs most and of those on which it hardly does: 4 and 0.25.
        assert shown.after["estimated_loss"] == pytest.approx((new["label"][kept] ** 2).mean(), abs=0.4)
        rise = shown.after["estimated_loss"] - shown.before["estimated_loss"]
        assert found.effect[0] == pytest.approx(rise / loss.std())
        assert found.rows[0] == kept.sum()
    weighted = performance_reweighted.open_detector(setup)
    effects = [weighted.read(bucket(only(new, hard))).effect[0] for _ in weighted.signals]
    assert max(effects, default=0.0) < 0.05, "parts of single columns see nothing of it"


@pytest.mark.parametrize(("rows", "about"), [(1_000, 0.8), (5_000, 1.1)])
def test_a_level_is_in_deviations_of_what_trees_expect_and_an_effect_is_what_of_that_was_true(rows: int, about: float) -> None:
    """Of few rows trees learn what chance did, and losses rise by less than they expect; never are they said to rise by more."""
    setup = setup_for(together(rows, 5))
    detector, known = loss_expected.open_detector(setup), known_rows(setup)
    assert known is not None
    half = rows // 2
    usual, losses_of = detector._expecting.of(known.points[half:]), known.losses[half:]
    new = only(together(2_000, 1), np.arange(2_000) < 300)
    now = detector._expecting.of(known.space.place(new))
    slope = np.polyfit(usual, losses_of, 1)[0]
    assert slope == pytest.approx(about, abs=0.05)
    view = bucket(new)
    assert detector.read(view).level[0] == pytest.approx((now.mean() - usual.mean()) / usual.std())
    assert detector.signals[0].scale == pytest.approx(min(slope, 1) * usual.std())
    shown = detector.sketch(0, [view])
    assert shown.before["estimated_loss"] == pytest.approx(losses_of.mean())
    assert shown.after["estimated_loss"] == pytest.approx(losses_of.mean() + min(slope, 1) * (now.mean() - usual.mean()))


def test_where_trees_tell_nothing_of_losses_that_they_haven_t_seen_nothing_is_followed() -> None:
    generator = np.random.default_rng(5)
    silent = 0
    for _ in range(20):
        reference = {"x": generator.normal(size=600), "label": generator.normal(size=600), SAMPLED_SCORE: np.zeros(600)}
        silent += not loss_expected.open_detector(setup_for(reference)).signals
    assert silent >= 17, "by chance alone slopes are two errors above 0 once in forty"
    for setup in (
        setup_for(together(4_000, 0), loss_std=0.0),
        setup_for({**together(4_000, 0), "label": np.zeros(4_000)}),
        setup_for(only(together(4_000, 0), np.arange(4_000) < 4 * FEWEST - 1)),
        setup_for({name: values for name, values in together(4_000, 0).items() if name != SAMPLED_SCORE}),
    ):
        detector = loss_expected.open_detector(setup)
        assert list(detector.signals) == []
        assert [part.shape for part in detector.read(bucket(together(100, 1)))] == [(0,)] * 3


def test_trees_are_asked_of_sampled_rows_that_have_a_score_alone() -> None:
    detector = loss_expected.open_detector(setup_for(together(4_000, 0)))
    new, is_seen = together(300, 1), np.arange(300) % 3 > 0
    half = {**new, SAMPLED_SCORE: np.where(is_seen, np.nan, 0.0)}
    found, expected = (detector.read(bucket(one)) for one in (half, only(new, ~is_seen)))
    assert (found.level[0], found.rows[0]) == (expected.level[0], 100)
    few = detector.read(bucket({**new, SAMPLED_SCORE: np.where(np.arange(300) < FEWEST - 1, 0.0, np.nan)}))
    assert np.isnan(few.level).all()
    assert few.rows.tolist() == [0]
    assert np.isnan(detector.read(bucket(new)._replace(inputs=None)).level).all()
    assert detector.sketch(0, [bucket(new, 9)]).after == {}
