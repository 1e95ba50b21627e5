"""What a log says of a bundle's alarms, when it says too little, and what is written then."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from skills import adopt_model, calibrate_monitors
from skills._kit.errors import InputError, NoDataError
from skills._kit.history import Logged, history_of
from skills._kit.scoring import score_table
from skills._kit.usual import Watch
from streams.calibration.learning import weeks_missing
from streams.calibration.panel import Panel
from streams.contracts.bundle import MODEL_FILE, REFERENCE_FILE
from streams.contracts.features import Window
from streams.contracts.schema import Column, ModelSchema, SourceSchema
from streams.detectors.base import Floors, Setup
from streams.inference.session import load
from streams.inference.store import BundleStore
from streams.monitoring.config import MonitoringConfig
from streams.monitoring.watching import measured, usable
from tests.kit.calibrated import SCHEMA, TRAINED, WEEKS, Shop, calibrated, unlabelled
from tests.kit.histories import BUCKET_MS, HOUR_MS, MODEL, START_MS, WATCH, WEEK_MS, between, log_of, trained_on

# Of a week, so that labels are known for whole weeks too.
MORE = 0.2
INPUTS = ("inputs_quality", "feature_scores", "feature_shares")
OUTCOMES = ("loss_mean", "performance_auc")
PER_DAY = Window(aggregate="count", source="requests", by=("depot",), range_ms=24 * HOUR_MS)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder, log = tmp_path_factory.mktemp("calibrating"), log_of(WEEKS)
    return Shop(folder, log, trained_on(between(log, 0, TRAINED), folder, SCHEMA))


@pytest.fixture(scope="module")
def whole(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> calibrate_monitors.Output:
    """Calibrated on all six weeks after the training, and published."""
    return calibrated(shop, between(shop.log, TRAINED, WEEKS), tmp_path_factory.mktemp("whole"), dry=False)


def test_it_says_what_alarms_mean(whole: calibrate_monitors.Output) -> None:
    assert (whole.since_ms, whole.until_ms) == (START_MS + TRAINED * WEEK_MS, START_MS + WEEKS * WEEK_MS)
    assert whole.unseen_rows == whole.rows >= whole.labelled_rows > 0.9 * whole.rows
    assert [one.detector for one in whole.detectors] == WATCH["detectors"]
    assert sum(one.asked for one in whole.detectors) == pytest.approx(2)
    assert not any(one.weeks_missing for one in whole.detectors)
    for one in whole.detectors:
        assert one.buckets == pytest.approx((WEEKS - TRAINED) * WEEK_MS / BUCKET_MS, abs=1)
        assert one.seen is not None
        assert one.judged is not None
        months = one.buckets * BUCKET_MS / (30 * 24 * HOUR_MS)
        assert one.seen.value == pytest.approx(one.seen_alarms / months)
        assert one.judged.high > one.seen.high / 2
        assert one.judged_alarms <= 3, "nothing ever changes"
        assert 1e-8 < one.chance < 0.1
    found = {one.detector: one for one in whole.detectors}
    loss = found["loss_mean"]
    drift = 8 * math.sqrt(4) / 2
    parts = {
        "inputs_quality": math.sqrt(4),
        "feature_scores": drift,
        "feature_shares": drift,
        "score_scores": 1,
        "performance_auc": 3,
    }
    for name, part in parts.items():
        assert found[name].asked == pytest.approx(loss.asked * part / 3), "each kind by the root of its columns and how it begins"
    # Of two numbers, the location of each has eight parts of ten.
    assert found["feature_scores"].chance == pytest.approx(loss.chance * drift / 3 / 2 * 8 / 10)


def test_it_says_how_soon_changes_are_found(whole: calibrate_monitors.Output) -> None:
    assert whole.judged_ms == START_MS + TRAINED * WEEK_MS + 4 * WEEK_MS, "two thirds are learnt from"
    found = {(one.change, one.detector): one for one in whole.powers}
    for one in whole.powers:
        assert 0 < one.tried <= 40 * len(one.columns)
    for name in ("feature shifts", "score shifts"):
        small, middle, large = (
            next(one for key, one in found.items() if f"{name} by {by} sd" in key[0]) for by in ("0.25", "0.5", "1")
        )
        assert small.share <= middle.share <= large.share == 1
        assert large.buckets <= 2
    assert found["20% of the rows lose a value", "inputs_quality"].share == 1
    assert set(found["a unit changes, x100", "inputs_quality"].columns) == {"x0", "x1"}
    assert found["the loss rises by 0.25 sd", "loss_mean"].buckets < found["the AUC falls by 0.02", "performance_auc"].buckets


def test_a_bundle_with_the_same_model_and_the_new_thresholds_is_published(shop: Shop, whole: calibrate_monitors.Output) -> None:
    assert whole.digest is not None
    before, after = (shop.store.read(MODEL, digest) for digest in (shop.digest, whole.digest))
    assert {name: after.manifest.sha256[name] for name in (MODEL_FILE, REFERENCE_FILE)} == {
        name: before.manifest.sha256[name] for name in (MODEL_FILE, REFERENCE_FILE)
    }
    assert msgspec.structs.replace(after.profile, normal=None) == before.profile
    told = after.manifest.lineage["calibrated"]
    assert told["parent"] == shop.digest
    assert (told["since_ms"], told["until_ms"], told["rows"]) == (whole.since_ms, whole.until_ms, whole.rows)
    assert told["left_as_they_were"] == []
    assert {**before.manifest.lineage, "calibrated": told} == after.manifest.lineage
    assert load(shop.store, MODEL, whole.digest).digest == whole.digest, "it can serve"


def test_monitoring_takes_what_was_written_for_calibrated(shop: Shop, whole: calibrate_monitors.Output) -> None:
    assert whole.digest is not None
    bundle, config = shop.store.read(MODEL, whole.digest), MonitoringConfig(min_rows=20)
    panel = Panel(config.detectors, Setup(bundle.manifest, bundle.profile, Floors(), BUCKET_MS))
    normal = usable(bundle.profile.normal, panel, BUCKET_MS, config)
    assert normal is not None
    assert [weeks_missing(buckets, BUCKET_MS, 2.0) for buckets in measured(normal, panel)] == [0] * len(panel.groups)


def test_a_dry_run_says_the_same_and_writes_nothing(shop: Shop, whole: calibrate_monitors.Output, tmp_path: Path) -> None:
    before = shop.bundles()
    found = calibrated(shop, between(shop.log, TRAINED, WEEKS), tmp_path)
    assert msgspec.structs.replace(found, digest=whole.digest, seconds=whole.seconds) == whole
    assert found.digest is None
    assert shop.bundles() == before


def test_columns_are_looked_at_together_with_the_references_rows(shop: Shop, tmp_path: Path) -> None:
    watch = {**WATCH, "detectors": ["inputs_mmd"]}
    (found,) = calibrated(shop, between(shop.log, TRAINED, WEEKS), tmp_path, watch=watch).detectors
    assert (found.detector, found.kind, found.signals, found.weeks_missing) == ("inputs_mmd", "feature_drift", 1, 0)
    assert found.judged_alarms <= 1, "nothing ever changes"
    alike = shop.log.set_column(shop.log.column_names.index("x1"), "x1", shop.log.column("x0"))
    log = pa.concat_tables([between(shop.log, TRAINED, WEEKS - 1), between(alike, WEEKS - 1, WEEKS)])
    (found,) = calibrated(shop, log, tmp_path, watch=watch).detectors
    assert found.judged_alarms >= 1, "in the last week the columns are one"
    digest = trained_on(between(shop.log, 0, TRAINED), tmp_path, SCHEMA, watch=msgspec.convert(watch, Watch))
    normal = BundleStore(tmp_path / "registry").read(MODEL, digest).profile.normal
    assert normal is not None
    assert set(normal.signals) == {"inputs_mmd"}, "of the rows that it is trained on too"


@pytest.mark.parametrize(("weeks", "rate", "missing"), [(3, 2.0, "1 week,"), (2, 2.0, "2 weeks,"), (5, 0.5, "4 weeks,")])
def test_a_history_that_can_t_support_the_rate_is_refused(
    shop: Shop, tmp_path: Path, weeks: int, rate: float, missing: str
) -> None:
    """Four weeks at least, and as long as it takes chance to raise one alarm: of one in two months that is nine weeks."""
    before = shop.bundles()
    with pytest.raises(NoDataError) as refused:
        calibrated(shop, between(shop.log, TRAINED, TRAINED + weeks + MORE), tmp_path, alarms_per_month=rate, dry=False)
    for detector in WATCH["detectors"]:
        assert detector in str(refused.value)
    assert str(refused.value).count(f"lacks {missing}") == 6
    assert shop.bundles() == before


def test_rows_that_the_bundle_was_made_of_say_nothing_of_scores(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(NoDataError) as refused:
        calibrated(shop, between(shop.log, 0, TRAINED + 3 + MORE), tmp_path)
    for detector in ("score_scores", *OUTCOMES):
        assert f"{detector} (" in str(refused.value)
    for detector in INPUTS:
        assert f"{detector} (" not in str(refused.value)
    seen = between(shop.log, 0, TRAINED).num_rows
    assert f"{seen} of {between(shop.log, 0, TRAINED + 3 + MORE).num_rows} rows were there when the bundle was made" in str(
        refused.value
    )


def test_what_can_be_calibrated_is_when_that_was_asked_for(shop: Shop, tmp_path: Path) -> None:
    found = calibrated(shop, between(shop.log, 0, TRAINED + 3 + MORE), tmp_path, partial=True, dry=False)
    missing = {one.detector: one.weeks_missing for one in found.detectors}
    assert missing == dict.fromkeys(INPUTS, 0) | dict.fromkeys(("score_scores", *OUTCOMES), 1)
    assert {one.detector for one in found.powers} == set(INPUTS)
    assert found.digest is not None
    normal = shop.profile(found.digest).normal
    assert normal is not None
    assert normal.signals["loss_mean"]["loss: mean"].buckets < 4 * WEEK_MS / BUCKET_MS, "better than nothing, and said so"
    lineage = shop.store.read_manifest(MODEL, found.digest).lineage
    assert lineage["calibrated"]["left_as_they_were"] == sorted(("score_scores", *OUTCOMES))


def test_without_any_label_losses_are_left_alone(shop: Shop, whole: calibrate_monitors.Output, tmp_path: Path) -> None:
    log = unlabelled(between(shop.log, TRAINED, WEEKS))
    with pytest.raises(NoDataError, match=r"loss_mean \(loss_drift\) lacks 4 weeks, for `loss: mean` has 0 buckets"):
        calibrated(shop, log, tmp_path)
    found = calibrated(shop, log, tmp_path, partial=True, dry=False)
    assert found.labelled_rows == 0
    assert found.digest is not None
    normal = shop.profile(found.digest).normal
    assert normal is not None
    assert [normal.signals[name] for name in OUTCOMES] == [{}, {}], "the reference is what is known of them"
    assert whole.digest is not None
    again = calibrated(shop, log, tmp_path, partial=True, dry=False, bundle=whole.digest)
    assert again.digest is not None
    kept, known = shop.profile(again.digest).normal, shop.profile(whole.digest).normal
    assert kept is not None
    assert known is not None
    same = {name: kept.signals[name] == known.signals[name] for name in kept.signals}
    assert same == dict.fromkeys((*INPUTS, "score_scores"), True) | dict.fromkeys(OUTCOMES, True), (
        "what was known of losses stays"
    )
    assert all(one.weeks_missing == 4 for one in again.detectors if one.detector in OUTCOMES)


def test_nothing_that_can_be_calibrated_is_refused_even_partially(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(NoDataError, match="lacks 2 weeks"):
        calibrated(shop, between(shop.log, TRAINED, TRAINED + 2 + MORE), tmp_path, partial=True)


def test_a_change_in_the_history_is_an_alarm_of_its_last_third(shop: Shop, tmp_path: Path) -> None:
    log = between(shop.log, TRAINED, WEEKS)
    is_late = pc.greater_equal(log.column("time_ms"), START_MS + (WEEKS - 1) * WEEK_MS)
    moved = pc.if_else(is_late, pc.add(log.column("x0"), 1.0), log.column("x0"))
    found = calibrated(shop, log.set_column(log.column_names.index("x0"), "x0", moved), tmp_path)
    alarms = {one.detector: (one.judged_alarms, one.seen_alarms) for one in found.detectors}
    assert min(alarms["feature_scores"]) >= 1
    assert alarms["inputs_quality"][0] <= 1


def test_an_alarm_that_lasts_is_one(shop: Shop, tmp_path: Path) -> None:
    """The last week lacks a column, whatever the cool-down is."""
    log = between(shop.log, TRAINED, WEEKS)
    is_late = pc.greater_equal(log.column("time_ms"), START_MS + (WEEKS - 1) * WEEK_MS)
    gone = pc.if_else(is_late, pa.nulls(log.num_rows, pa.float64()), log.column("x1"))
    log = log.set_column(log.column_names.index("x1"), "x1", gone)
    for cooldown_ms in (0, 24 * HOUR_MS, 30 * 24 * HOUR_MS):
        found = calibrated(shop, log, tmp_path, cooldown_ms=cooldown_ms, partial=True)
        (quality,) = [one for one in found.detectors if one.detector == "inputs_quality"]
        assert quality.judged_alarms == 1


def test_windows_are_computed_and_filled_before_anything_counts(shop: Shop, tmp_path: Path) -> None:
    train = between(shop.log, 0, TRAINED)
    counted = np.ones(train.num_rows)
    digest = trained_on(train.append_column(PER_DAY.name, pa.array(counted)), tmp_path, SCHEMA, (PER_DAY,))
    log = between(shop.log, TRAINED, WEEKS)
    pq.write_table(log, tmp_path / "log.parquet")
    bundle = BundleStore(tmp_path / "registry").read(MODEL, digest)
    history = history_of(bundle, Logged(str(tmp_path / "log.parquet"), {}, SCHEMA, None))
    first = int(history.rows.table.column("time_ms")[0].as_py())
    reach = PER_DAY.range_ms + bundle.manifest.skew_ms
    time_ms = log.column("time_ms").to_numpy()
    assert history.filling == (time_ms < time_ms[0] + reach).sum()
    row = {name: history.rows.table.column(name)[0].as_py() for name in ("depot", PER_DAY.name)}
    near = first - bundle.manifest.skew_ms
    same = (
        (log.column("depot").to_numpy(zero_copy_only=False) == row["depot"])
        & (time_ms < near)
        & (time_ms >= near - PER_DAY.range_ms)
    )
    assert row[PER_DAY.name] == same.sum() > 10
    scores = score_table(load(BundleStore(tmp_path / "registry"), MODEL, digest), history.rows.table)
    assert np.array_equal(history.rows.later.scores, scores)
    short = between(shop.log, TRAINED, TRAINED + 1).slice(0, 20)
    pq.write_table(short, tmp_path / "log.parquet")
    with pytest.raises(NoDataError, match="shorter than the model's windows reach back"):
        history_of(bundle, Logged(str(tmp_path / "log.parquet"), {}, SCHEMA, None))


def test_windows_over_a_source_read_its_file(shop: Shop, tmp_path: Path) -> None:
    """Two records an hour for each depot: what came in the two hours before a row, whose skew is a minute."""
    storms = SourceSchema(name="storms", columns=(Column(name="depot", kind="category"),))
    schema = msgspec.structs.replace(SCHEMA, sources=(storms,))
    window = Window(aggregate="count", source="storms", by=("depot",), range_ms=2 * HOUR_MS)
    train = between(shop.log, 0, TRAINED)
    digest = trained_on(train.append_column(window.name, pa.array(np.full(train.num_rows, 4.0))), tmp_path, schema, (window,))
    log = between(shop.log, TRAINED, TRAINED + 1)
    pq.write_table(log, tmp_path / "log.parquet")
    half_hours = START_MS + TRAINED * WEEK_MS + np.arange(2 * 168) * HOUR_MS // 2
    records = pa.table({"time_ms": np.repeat(half_hours, 3), "depot": ["a", "b", "c"] * len(half_hours)})
    pq.write_table(records, tmp_path / "storms.parquet")
    bundle, file = BundleStore(tmp_path / "registry").read(MODEL, digest), str(tmp_path / "log.parquet")
    history = history_of(bundle, Logged(file, {"storms": str(tmp_path / "storms.parquet")}, schema, None))
    assert set(history.rows.table.column(window.name).to_pylist()) == {4.0}
    with pytest.raises(InputError, match="windows over the source storms: name a file"):
        history_of(bundle, Logged(file, {}, schema, None))


def test_a_model_that_is_served_elsewhere_has_its_own_answers(shop: Shop, tmp_path: Path) -> None:
    answers = pa.array(np.clip(shop.log.column("label").to_numpy() * 0.4 + 0.3, 0, 1))
    log = shop.log.append_column("score", answers)
    pq.write_table(between(log, 0, TRAINED), tmp_path / "answers.parquet")
    registry = str(tmp_path / "registry")
    adopted = adopt_model.run(
        adopt_model.Input(registry=registry, model=MODEL, table=str(tmp_path / "answers.parquet"), schema=SCHEMA), tmp_path
    )
    asked = {"registry": registry, "bundle": adopted.digest, "partial": True}
    later = between(log, TRAINED, WEEKS)
    found = calibrated(shop, later, tmp_path, **asked)
    assert found.unseen_rows == found.rows == later.num_rows
    bundle = BundleStore(tmp_path / "registry").read(MODEL, adopted.digest)
    history = history_of(bundle, Logged(str(tmp_path / "log.parquet"), {}, SCHEMA, None))
    assert set(np.round(history.rows.later.scores, 6)) == {0.3, 0.7}
    with pytest.raises(InputError, match="needs a column `score`"):
        calibrated(shop, later.drop_columns(["score"]), tmp_path, **asked)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"floors": {"deviation": 0.1}}, "the monitoring's settings"),
        ({"alarms_per_month": 0.0}, "the monitoring's settings"),
        ({"watch": {**WATCH, "detectors": ["guesses"]}}, "the monitoring's settings"),
        ({"schema": ModelSchema(columns=SCHEMA.columns[1:])}, None),
    ],
)
def test_settings_that_make_no_sense_are_refused(shop: Shop, tmp_path: Path, changed: dict[str, Any], said: str | None) -> None:
    """A column that isn't declared any more is no matter: rows are read as the bundle wants them."""
    log = between(shop.log, TRAINED, WEEKS)
    if said is None:
        assert calibrated(shop, log, tmp_path, **changed).rows == log.num_rows
        return
    with pytest.raises(InputError, match=said):
        calibrated(shop, log, tmp_path, **changed)


def test_a_log_without_rows_or_columns_is_refused(shop: Shop, tmp_path: Path) -> None:
    log = between(shop.log, TRAINED, WEEKS)
    with pytest.raises(NoDataError, match="no rows"):
        calibrated(shop, log.slice(0, 0), tmp_path)
    with pytest.raises(InputError, match="no column 'x1'"):
        calibrated(shop, log.drop_columns(["x1"]), tmp_path)
