"""What calibrating learns of labels that never come, how far it says it is, what it leaves out, and what a log lacks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from skills import calibrate_monitors
from skills._kit.errors import NoDataError
from skills._kit.progress import PROGRESS
from skills._kit.reading import MOST_BUCKETS
from streams.calibration.learning import History
from streams.calibration.panel import Panel
from streams.contracts.summaries import RECEIVED
from streams.detectors import inputs_mmd
from streams.detectors.base import BucketView, Readings
from tests.kit.calibrated import SCHEMA, TRAINED, WEEKS, Shop, calibrated, unlabelled
from tests.kit.histories import BUCKET_MS, HOUR_MS, WATCH, WEEK_MS, between, log_of, trained_on


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder, log = tmp_path_factory.mktemp("calibrating"), log_of(WEEKS)
    return Shop(folder, log, trained_on(between(log, 0, TRAINED), folder, SCHEMA))


def coming_in_hours(log: pa.Table, share: float, seed: int = 5) -> pa.Table:
    """Labels that come within two hours, of such a share of the rows."""
    generator, time_ms = np.random.default_rng(seed), log.column("time_ms").to_numpy()
    is_known = generator.random(log.num_rows) < share
    known_ms = time_ms + generator.integers(1, 2 * HOUR_MS, log.num_rows)
    label = pa.array(np.where(is_known, log.column("label").to_numpy(), np.nan), from_pandas=True)
    known = pa.array(np.where(is_known, known_ms, np.nan), from_pandas=True)
    return log.drop_columns(["label", "known_ms"]).append_column("label", label).append_column("known_ms", known)


def test_how_many_labels_come_is_learnt_with_the_time_that_they_take(shop: Shop, tmp_path: Path) -> None:
    log = coming_in_hours(between(shop.log, TRAINED, WEEKS), 0.8)
    watch = {**WATCH, "detectors": ["loss_mean", "labels_coverage"]}
    found = calibrated(shop, log, tmp_path, watch=watch, dry=False)
    assert [(one.detector, one.weeks_missing, one.lacks) for one in found.detectors] == [
        ("loss_mean", 0, ""),
        ("labels_coverage", 0, ""),
    ]
    assert found.detectors[1].judged_alarms <= 1, "nothing ever changes"
    assert found.digest is not None
    normal = shop.profile(found.digest).normal
    assert normal is not None
    assert HOUR_MS < normal.label_delay_ms <= 2 * HOUR_MS
    usual = normal.signals["labels_coverage"]["labels: missing"]
    assert np.sin(np.pi / 4 + usual.level / 2) ** 2 == pytest.approx(0.2, abs=0.02)
    gone = pa.concat_tables([between(log, TRAINED, WEEKS - 1), coming_in_hours(between(log, WEEKS - 1, WEEKS), 0.5)])
    worse = calibrated(shop, gone, tmp_path, watch=watch)
    assert worse.detectors[1].judged_alarms >= 1, "in the last week of half of the rest none comes"
    unknown = calibrated(shop, unlabelled(log), tmp_path, watch=watch | {"detectors": ["inputs_quality", "labels_coverage"]},
                         partial=True, dry=False, bundle=found.digest)  # fmt: skip
    assert unknown.digest is not None
    kept = shop.profile(unknown.digest).normal
    assert kept is not None
    assert (kept.signals["labels_coverage"]["labels: missing"], kept.label_delay_ms) == (usual, normal.label_delay_ms)


def test_how_far_it_is_is_said_by_detector_and_change(shop: Shop, tmp_path: Path) -> None:
    log = between(shop.log, TRAINED, WEEKS)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / PROGRESS).write_text("of an earlier run\n")
    calibrated(shop, log, tmp_path)
    lines = (tmp_path / "work" / PROGRESS).read_text().splitlines()
    assert re.fullmatch(rf"{log.num_rows:,} rows read in \d+\.\d s", lines[0])
    told = [line.split(":")[0] for line in lines]
    assert told[1:7] == WATCH["detectors"]
    assert re.fullmatch(r"inputs_quality: 336 buckets read in \d+\.\d s", lines[1])
    assert told[7:9] == ["learning what is usual", "counting the alarms that the log would have raised"]
    assert "the AUC falls by 0.05" in told[9:]


def test_a_detector_that_takes_long_is_asked_about_the_newest_buckets_alone_and_it_is_said(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, whole = between(shop.log, TRAINED, WEEKS), (WEEKS - TRAINED) * WEEK_MS // BUCKET_MS
    needed = 4 * WEEK_MS // BUCKET_MS + 1
    for most, read in ((10, needed), (300, 300), (10_000, whole)):
        monkeypatch.setitem(MOST_BUCKETS, "feature_scores", most)
        found = {one.detector: one for one in calibrated(shop, log, tmp_path).detectors}
        slow, other = found["feature_scores"], found["feature_shares"]
        assert (slow.buckets, slow.left_out, slow.weeks_missing) == (read, whole - read, 0)
        assert (other.buckets, other.left_out) == (whole, 0)
    lines = (tmp_path / "work" / PROGRESS).read_text()
    assert f"feature_scores: {whole} buckets read" in lines


def test_each_bucket_is_read_once_however_often_it_is_judged(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read anew are the default detectors, of buckets that were changed."""
    read: Counter[int] = Counter()
    honest = inputs_mmd.InputsMmd.read

    def counting(self: inputs_mmd.InputsMmd, view: BucketView) -> Readings:
        read[view.start_ms] += 1
        return honest(self, view)

    monkeypatch.setattr(inputs_mmd.InputsMmd, "read", counting)
    watch = {**WATCH, "detectors": ["inputs_mmd", "feature_scores"]}
    calibrated(shop, between(shop.log, TRAINED, WEEKS), tmp_path, watch=watch)
    assert len(read) == (WEEKS - TRAINED) * WEEK_MS // BUCKET_MS
    assert set(read.values()) == {1}


def test_the_log_is_put_together_once_though_it_is_counted_and_learnt_from(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    honest = calibrate_monitors.levels_of

    def counting(panel: Panel, views: Sequence[BucketView], found: Sequence[Readings]) -> History:
        made.append(len(views))
        return honest(panel, views, found)

    monkeypatch.setattr(calibrate_monitors, "levels_of", counting)
    calibrated(shop, between(shop.log, TRAINED, WEEKS), tmp_path)
    assert made == [(WEEKS - TRAINED) * WEEK_MS // BUCKET_MS]


def test_what_the_log_lacks_is_named(shop: Shop, tmp_path: Path) -> None:
    log = between(shop.log, TRAINED, WEEKS)
    kinds = ["inputs_quality", "requests_rejected", "requests_clock", "serving_latency", "labels_delay"]
    watch = {**WATCH, "detectors": kinds}
    with pytest.raises(NoDataError) as refused:
        calibrated(shop, unlabelled(log), tmp_path, watch=watch)
    for part in (
        "requests_rejected (serving) lacks 4 weeks, for `requests: rejected` has 0 buckets: the log lacks what was rejected",
        "requests_clock (data_quality) lacks 4 weeks, for `requests: behind` has 0 buckets: the log lacks times of the broker",
        "the column of log.received;",
        "the columns of log.received and log.answered",
        "labels_delay (data_quality) lacks 4 weeks, for `labels: delay` has 0 buckets: the log lacks labels",
    ):
        assert part in str(refused.value)
    assert "inputs_quality" not in str(refused.value)
    stamped = log.append_column(RECEIVED, log.column("time_ms"))
    found = {one.detector: one for one in calibrated(shop, stamped, tmp_path, watch=watch, partial=True).detectors}
    assert {name: one.lacks for name, one in found.items() if one.lacks} == {
        "requests_rejected": "what was rejected, which no log holds",
        "serving_latency": "times of the broker: the column of log.answered",
    }
