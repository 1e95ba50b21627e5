"""Watching over many buckets: the family-wise rate on independent rows, drift found, swaps, and the task's memory."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from pydantic import ValidationError
from scipy import stats

from streams.calibration.panel import Panel
from streams.contracts.bundle import Normal, Usual
from streams.contracts.events import KINDS, DriftEvent, decode_event
from streams.contracts.records import TaskState
from streams.contracts.summaries import FIXED, InputSummary, LossSummary
from streams.detectors.base import BucketView, Floors
from streams.detectors.checks import DAY_MS, World, setup_of
from streams.inference.store import BundleStore
from streams.monitoring.buckets import Bucket
from streams.monitoring.config import OURS, MonitoredModel, MonitoringConfig
from streams.monitoring.task import MonitoringTask
from streams.monitoring.watching import MOST_EVIDENCE, REASONS, Reference, Watcher
from streams.runtime.durations import Duration
from streams.runtime.metrics import TABLE
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import read_watermark, watermark_record
from streams.statistics.scan import LENGTHS
from streams.transport.records import Output, Record
from tests.kit.alarms import begun

MODEL = MonitoredModel("m", "binary", "s", "state", "driftwake.events", 1, DAY_MS)
NO_FLOORS = Floors(**dict.fromkeys(Floors.model_fields, 0))
WHOLE_FLOORS = Floors(**dict.fromkeys(Floors.model_fields, 1) | {"deviations": 99, "loss_std": 99, "domain_auc": 0.5})
# Chance alone alarms in none of the tests.
RARELY = 0.1
# So many rows that the reference is as good as what it is of.
SURE = 200_000


def bucket_of(view: BucketView, digest: str = "d") -> Bucket:
    inputs, losses = view.inputs, view.losses
    assert inputs is not None
    assert losses is not None
    return Bucket(view.start_ms, view.end_ms, {digest: [inputs]}, {digest: [losses]})


def watcher_of(world: World, config: MonitoringConfig, normal: Normal | None = None) -> Watcher:
    profile = msgspec.structs.replace(world.profile, normal=normal)
    return Watcher(MODEL, config, lambda digest: Reference(world.manifest, profile))


@pytest.mark.parametrize(("floors", "reference_rows"), [(NO_FLOORS, SURE), (Floors(), 2_000)])
def test_independent_rows_alarm_no_more_often_than_was_asked_for(floors: Floors, reference_rows: int) -> None:
    """Over all detectors together, with nothing learnt of the stream. Exact Poisson bound, wrong once in 10^4."""
    config, worlds, days, alarms = MonitoringConfig(effect_floors=floors, cooldown=Duration(0)), 18, 30, 0
    for seed in range(worlds):
        world = World(1_000 + seed, reference_rows=reference_rows)
        watcher = watcher_of(world, config)
        alarms += len(begun(event for day in range(days) for event in watcher.look(bucket_of(world.view(day))).events))
        watcher.close()
    assert alarms <= stats.poisson.isf(1e-4, worlds * days * config.alarm_rate(DAY_MS))


def run(
    config: MonitoringConfig, days: Sequence[bool], *, rows: int = 600, normal: Normal | None = None, seed: int = 1
) -> list[DriftEvent]:
    world = World(seed, reference_rows=SURE)
    watcher = watcher_of(world, config, normal)
    views = (world.view(day, rows=rows, is_broken=bad) for day, bad in enumerate(days))
    return [event for view in views for event in watcher.look(bucket_of(view)).events]


def missing_in(view: BucketView, rows: int) -> BucketView:
    """Have sizes missing in so many of 600 rows; 30 are usual, and 52 are an alarm that is not overwhelming."""
    assert view.inputs is not None
    size = view.inputs.numbers["size"]
    size.bins[4] += size.missing - rows
    size.missing = rows
    return view


def run_missing(config: MonitoringConfig, days: Sequence[int]) -> list[DriftEvent]:
    world = World(5, reference_rows=SURE)
    watcher = watcher_of(world, config)
    views = (missing_in(world.view(day), rows) for day, rows in enumerate(days))
    return [event for view in views for event in watcher.look(bucket_of(view)).events]


QUALITY = MonitoringConfig(detectors=("inputs_quality",), false_alarms_per_month=RARELY, cooldown=Duration.of("365d"))


def test_a_broken_stream_is_suspected_confirmed_and_cleared() -> None:
    days = [30] * 3 + [52] * 3 + [30] * (LENGTHS[-1] + 3)
    events = run_missing(QUALITY, days)
    course = [(event.transition, event.bucket_start_ms // DAY_MS) for event in events]
    assert course[:2] == [("suspected", 3), ("confirmed", 4)]
    assert [transition for transition, _ in course[2:]] == ["cleared"]
    assert 8 <= course[2][1] < len(days), "not before three quiet days, and not never"
    assert len({event.id for event in events}) == len(events)
    assert events == run_missing(QUALITY, days), "the same buckets give the same events"


BROKEN = [False] * 3 + [True] * 3


def test_what_is_overwhelming_is_confirmed_at_once_with_what_shows_it() -> None:
    config = MonitoringConfig(false_alarms_per_month=RARELY)
    events = run(config, BROKEN[:4])
    assert {event.detector for event in events} == set(OURS)
    assert {event.kind for event in events} == set(KINDS) - {"serving", "performance_estimate", "label_drift"}
    for event in events:
        assert (event.transition, event.bucket_start_ms, event.rows) == ("confirmed", 3 * DAY_MS, 600)
        assert not event.is_calibrated
        chances = [one.p_value for one in event.evidence]
        assert chances == sorted(chances)
        assert max(chances) <= config.alarm_rate(DAY_MS)
        assert 0 < len(chances) <= MOST_EVIDENCE
    missing = next(one for event in events for one in event.evidence if one.method == "missing" and one.watched == "size")
    assert missing.effect == pytest.approx(0.25, abs=0.07)
    assert (missing.since_ms, missing.rows) == (3 * DAY_MS, 600)
    assert missing.before["share"] == pytest.approx(0.05, abs=0.01)
    assert missing.after["share"] == pytest.approx(0.3, abs=0.07)


def test_a_slow_change_is_shown_over_the_stretch_that_it_lasts() -> None:
    """No single bucket with 45 is an alarm."""
    assert not run_missing(QUALITY, [30] * 12 + [45] + [30] * 3)
    suspected, confirmed = run_missing(QUALITY, [30] * 12 + [45] * 6)
    assert (suspected.transition, confirmed.transition) == ("suspected", "confirmed")
    (evidence,) = confirmed.evidence
    assert (evidence.watched, evidence.method, evidence.since_ms) == ("size", "missing", 12 * DAY_MS)
    assert evidence.rows == (confirmed.bucket_end_ms - evidence.since_ms) // DAY_MS * 600 > 600
    assert evidence.after == {"share": pytest.approx(45 / 600), "rows": evidence.rows}, "shown is the stretch"
    assert evidence.effect == pytest.approx(45 / 600 - evidence.before["share"])


def test_what_is_smaller_than_its_floor_is_no_alarm() -> None:
    assert run(MonitoringConfig(), BROKEN)
    assert not run(MonitoringConfig(effect_floors=WHOLE_FLOORS), BROKEN)


def normal_of(loss_days: int = 56, **changes: object) -> Normal:
    """The reference is usual of all signals, for eight weeks (of the loss for some days), and no improbability is enough."""
    panel, signals = Panel(OURS, setup_of(World(1))), dict[str, dict[str, Usual]]()
    for place, signal in zip(panel.places, panel.signals, strict=True):
        days = loss_days if place.detector == "loss_mean" else 56
        signals.setdefault(place.detector, {})[signal.name] = Usual(rows=1e6, buckets=days)
    found = Normal(
        bucket_ms=DAY_MS, since_ms=0, until_ms=56 * DAY_MS, buckets=56, confirm_after=2, clear_after=3,
        level=1e6, rate=1.0, excess=1.0, signals=signals,
    )  # fmt: skip
    return msgspec.structs.replace(found, **changes)


def test_what_was_measured_counts_where_it_was_measured_alike() -> None:
    assert not run(MonitoringConfig(), BROKEN, normal=normal_of())
    lower = run(MonitoringConfig(), BROKEN, normal=normal_of(level=10.0))
    assert lower
    assert all(event.is_calibrated for event in lower)
    short = run(MonitoringConfig(), BROKEN, normal=normal_of(level=10.0, loss_days=27))
    assert {event.detector for event in short if not event.is_calibrated} == {"loss_mean"}
    assert {event.detector for event in short if event.is_calibrated} == {*OURS} - {"loss_mean"}
    for changes in ({"bucket_ms": DAY_MS // 24}, {"confirm_after": 1}, {"clear_after": 2}):
        events = run(MonitoringConfig(), BROKEN, normal=normal_of(**changes))
        assert events
        assert not any(event.is_calibrated for event in events)


def test_a_loss_that_rises_to_less_than_it_was_is_no_trouble() -> None:
    """It fell far, comes half the way back, and wanders by itself: a surprise, but no loss above the reference's."""
    usual = Usual(wandering=0.04, persistence=0.95, rows=1e6, buckets=100)
    normal = normal_of(level=0.0, excess=0.4, signals={"loss_mean": {"loss: mean": usual}})
    world = World(1, reference_rows=SURE)
    watcher, events = watcher_of(world, MonitoringConfig(detectors=("loss_mean",)), normal), []
    for day in range(30):
        view = world.view(day)
        assert view.losses is not None
        away = 0.0 if day < 3 else -0.8 if day < 20 else -0.3
        view.losses.loss = round(view.losses.rows * (world.profile.loss_mean + away * world.profile.loss_std) * FIXED)
        events += watcher.look(bucket_of(view)).events
    assert not events


def test_another_bundle_begins_anew_and_its_verdicts_are_its_own() -> None:
    world = World(2, reference_rows=SURE)
    watcher = watcher_of(world, QUALITY)
    buckets = [bucket_of(missing_in(world.view(day), 52), digest) for day, digest in enumerate("abaa")]
    said = [[(event.transition, event.digest) for event in watcher.look(bucket).events] for bucket in buckets]
    assert said == [[("suspected", "a")], [("suspected", "b")], [("suspected", "a")], [("confirmed", "a")]]


def test_a_bundle_is_watched_on_its_own_rows_alone() -> None:
    """During a swap both serve; the one that answered most is watched, and the other's rows don't count."""
    world = World(2, reference_rows=SURE)
    watcher = watcher_of(world, MonitoringConfig())
    most, fewer = world.view(0), world.view(0, rows=300, is_broken=True)
    assert most.inputs is not None
    assert fewer.inputs is not None
    verdict = watcher.look(Bucket(0, DAY_MS, {"b": [fewer.inputs], "a": [most.inputs]}, {}))
    assert not verdict.events
    assert set(verdict.tests) == set(OURS) - {"loss_mean", "loss_slices", "performance_auc"}


def test_thin_buckets_and_unknown_bundles_give_no_verdict() -> None:
    world = World(3, reference_rows=SURE)
    watcher = watcher_of(world, MonitoringConfig())
    thin = bucket_of(world.view(0, rows=29, is_broken=True))
    assert set(watcher.look(thin).tests) == {"loss_mean", "loss_slices", "performance_auc"}, "of outcomes there may be few"
    nothing = watcher.look(thin._replace(losses={}))
    assert not nothing.events
    assert not nothing.tests
    refused = Watcher(MODEL, MonitoringConfig(), lambda digest: None)
    assert not refused.look(bucket_of(world.view(1, is_broken=True))).events


def test_thin_buckets_neither_raise_nor_clear() -> None:
    world = World(2, reference_rows=SURE)
    watcher = watcher_of(world, QUALITY)
    thin = [world.view(day, rows=29, is_broken=True) for day in range(1, 6)]
    views = [missing_in(world.view(0), 52), *thin, missing_in(world.view(6), 52)]
    said = [(event.transition, event.bucket_start_ms) for view in views for event in watcher.look(bucket_of(view)).events]
    assert said == [("suspected", 0), ("confirmed", 6 * DAY_MS)]


def record(offset: int, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]] = ()) -> Record:
    return Record("s", 0, offset, key, value, tuple(headers), 0)


def stream(world: World, days: Sequence[bool]) -> list[Record]:
    """Summaries day by day, split over two partitions' writers; the watermark of each follows its summaries."""
    records: list[Record] = []
    for day, bad in enumerate(days):
        for partition in (0, 1):
            view = world.view(day, rows=400, is_broken=bad)
            for summary in (view.inputs, view.losses):
                assert summary is not None
                placed = msgspec.structs.replace(summary, partition=partition)
                kind = "inputs" if isinstance(placed, InputSummary) else "champion"
                key = f"m/d/{kind}/{placed.bucket_start_ms}/{partition}".encode()
                records.append(record(len(records), key, msgspec.json.encode(placed)))
            key, value, headers = watermark_record(str(partition), (day + 1) * DAY_MS)
            records.append(record(len(records), key, value, headers))
    return records


def task_of(world: World, tmp_path: Path) -> MonitoringTask:
    task = MonitoringTask(
        MODEL._replace(writers=2), config=MonitoringConfig(), store=BundleStore(tmp_path), telemetry=Telemetry(["m"])
    )
    task._references["d"] = Reference(world.manifest, world.profile)
    return task


def ids(outputs: Sequence[Output]) -> list[str]:
    plain = [one for one in outputs if read_watermark(one.key, one.headers) is None]
    return [decode_event(one.value or b"", list(one.headers)).id for one in plain]


def marks(outputs: Sequence[Output]) -> list[int]:
    found = (read_watermark(one.key, one.headers) for one in outputs)
    return [mark[1] // DAY_MS for mark in found if mark is not None]


DAYS = [False, False, True, True, True, False, False, False, True, True]


async def test_batches_and_restarts_change_no_event(tmp_path: Path) -> None:
    records = stream(World(4), DAYS)
    whole = (await task_of(World(4), tmp_path).process(records, rebuilding=False)).outputs
    assert len(ids(whole)) >= 6
    assert marks(whole) == list(range(1, 11))
    for cut in (7, 20, 33):
        task = task_of(World(4), tmp_path)
        before = await task.process(records[:cut], rebuilding=False)
        state = TaskState(positions={"s/0": cut}, details=before.details)
        again = task_of(World(4), tmp_path)
        assert again.restore(state) == {"s/0": 0}
        await again.process(records[:cut], rebuilding=True)
        after = await again.process(records[cut:], rebuilding=False)
        assert ids(before.outputs) + ids(after.outputs) == ids(whole)
        assert marks(before.outputs) + marks(after.outputs) == marks(whole)


async def test_compaction_takes_watermarks_away_and_nothing_is_said_twice(tmp_path: Path) -> None:
    records = stream(World(4), DAYS)
    whole = (await task_of(World(4), tmp_path).process(records, rebuilding=False)).outputs
    cut = 33
    task = task_of(World(4), tmp_path)
    before = await task.process(records[:cut], rebuilding=False)
    newest = {one.key: one.offset for one in records}
    compacted = [one for one in records if newest[one.key] == one.offset]
    assert not any(read_watermark(one.key, one.headers) for one in compacted if one.offset < cut)
    again = task_of(World(4), tmp_path)
    again.restore(TaskState(positions={"s/0": cut}, details=before.details))
    await again.process([one for one in compacted if one.offset < cut], rebuilding=True)
    after = await again.process([one for one in compacted if one.offset >= cut], rebuilding=False)
    assert ids(before.outputs) + ids(after.outputs) == ids(whole)


async def test_what_is_no_summary_is_left_out(tmp_path: Path) -> None:
    world = World(4)
    task = task_of(world, tmp_path)
    strange = World(4).view(0).losses
    assert isinstance(strange, LossSummary)
    values = [b"", b"\xff", b"[" * 100_000, b'{"type":"inputs"}']
    values += [
        msgspec.json.encode(msgspec.structs.replace(strange, **changes))
        for changes in ({"model": "other"}, {"partition": 2}, {"partition": -1}, {"bucket_end_ms": -5})
    ]
    records = [record(offset, b"k", value) for offset, value in enumerate(values)]
    result = await task.process(records, rebuilding=False)
    assert result.outputs == []
    assert len(task._buckets) == 0


def declared(first: int, last: int, **more: object) -> dict[str, object]:
    """A change that is declared for some days of the world, the last not among them."""
    days = [dt.datetime.fromtimestamp(day * DAY_MS / 1_000, dt.UTC) for day in (first, last)]
    return {"from": days[0], "until": days[1], "why": "a campaign", **more}


def watched(config: MonitoringConfig, broken: range, days: int = 40) -> list[DriftEvent]:
    return run(config, [day in broken for day in range(days)])


OUTCOMES = ("loss_drift", "performance")
SHIFTS = ("feature_scores", "feature_shares", "score_scores")


def test_a_declared_change_raises_nothing_and_leaves_nothing_behind() -> None:
    plain = MonitoringConfig(detectors=SHIFTS, false_alarms_per_month=RARELY)
    told = MonitoringConfig.model_validate(plain.model_dump() | {"expected": [declared(10, 15)]})
    assert {event.kind for event in watched(plain, range(10, 15))} == {"feature_drift", "score_drift"}
    assert not watched(told, range(10, 15))
    # One that outlasts what was declared is said as soon as it does.
    first = watched(told, range(10, 30))[0]
    assert (first.kind, first.bucket_start_ms) == ("feature_drift", 15 * DAY_MS)
    assert first.evidence[0].since_ms == 15 * DAY_MS


def test_broken_data_and_losses_are_said_in_a_declared_change_unless_it_explains_them() -> None:
    told = MonitoringConfig.model_validate({"false_alarms_per_month": RARELY, "expected": [declared(10, 15)]})
    assert {event.kind for event in watched(told, range(10, 15))} == {"data_quality", *OUTCOMES}
    every = declared(10, 15, kinds=[kind for kind in KINDS if kind != "serving"])
    assert not watched(told.model_validate({"false_alarms_per_month": RARELY, "expected": [every]}), range(10, 15))


def test_what_gives_no_verdict_says_why() -> None:
    world = World(3, reference_rows=SURE)
    watcher = watcher_of(world, MonitoringConfig.model_validate({"expected": [declared(2, 3)]}))
    found = [
        watcher.look(bucket).inconclusive
        for bucket in (
            bucket_of(world.view(0)),
            bucket_of(world.view(1, rows=29)),
            bucket_of(world.view(2)),
            bucket_of(world.view(3))._replace(losses={}),
        )
    ]
    assert found[0] == {}
    inputs = [("inputs_quality", "data_quality"), ("feature_scores", "feature_drift"), ("feature_shares", "feature_drift")]
    inputs += [("score_scores", "score_drift")]
    assert found[1] == dict.fromkeys(inputs, "too_few_rows")
    assert found[2] == dict.fromkeys(inputs[1:], "expected")
    outcomes = [("loss_mean", "loss_drift"), ("loss_slices", "loss_drift"), ("performance_auc", "performance")]
    assert found[3] == dict.fromkeys(outcomes, "no_outcomes")
    assert {reason for one in found for reason in one.values()} <= set(REASONS)
    assert TABLE["driftwake_monitoring_inconclusive_total"].labels["reason"] == frozenset(REASONS)


def test_a_change_of_the_labels_is_said_of_outcomes() -> None:
    config = MonitoringConfig(detectors=("labels_mean",), false_alarms_per_month=RARELY)
    (event,) = run(config, BROKEN[:4])
    assert (event.kind, event.rows, event.evidence[0].watched) == ("label_drift", 600, "label")
    assert event.evidence[0].before["share"] == pytest.approx(0.5, abs=0.05)
    assert event.evidence[0].after["share"] == pytest.approx(2 / 7, abs=0.1)
    world = World(3, reference_rows=SURE)
    bucket = bucket_of(world.view(0))._replace(losses={})
    assert watcher_of(world, config).look(bucket).inconclusive == {("labels_mean", "label_drift"): "no_outcomes"}


def test_a_declared_change_is_checked() -> None:
    with pytest.raises(ValidationError, match="must be after"):
        MonitoringConfig.model_validate({"expected": [declared(3, 3)]})
    with pytest.raises(ValidationError, match="no kind 'holiday'; there are data_quality"):
        MonitoringConfig.model_validate({"expected": [declared(3, 4, kinds=["holiday"])]})
    # A date without a zone is UTC, wherever the process runs.
    dates = {"from": "2026-12-24", "until": "2026-12-27T12:00+02:00", "why": "x"}
    (plain,) = MonitoringConfig.model_validate({"expected": [dates]}).expected
    assert plain.since_ms == 1_798_070_400_000
    assert plain.until_ms - plain.since_ms == 3 * DAY_MS + 10 * 3_600_000
