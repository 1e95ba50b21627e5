"""Watching over many buckets: the family-wise rate on independent rows, drift found, swaps, and the task's memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from scipy import stats

from streams.contracts.events import DriftEvent, decode_event
from streams.contracts.records import TaskState
from streams.contracts.summaries import InputSummary, LossSummary
from streams.detectors.base import BucketView, Floors
from streams.detectors.checks import DAY_MS, World
from streams.inference.store import BundleStore
from streams.monitoring.buckets import Bucket
from streams.monitoring.config import MonitoredModel, MonitoringConfig
from streams.monitoring.task import MonitoringTask
from streams.monitoring.watching import Reference, Watcher
from streams.runtime.durations import Duration
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import read_watermark, watermark_record
from streams.transport.records import Output, Record

MODEL = MonitoredModel("m", "binary", "s", "state", "driftwake.events", 1, DAY_MS)
NO_FLOORS = Floors(missing_share=0, range_share=0, unseen_share=0, ks_distance=0, cramers_v=0, loss_std=0, auc=0, rmse_share=0)


def bucket_of(view: BucketView, digest: str = "d") -> Bucket:
    inputs, losses = view.inputs, view.losses
    assert inputs is not None
    assert losses is not None
    return Bucket(view.start_ms, view.end_ms, {digest: [inputs]}, {digest: [losses]})


def watcher_of(world: World, config: MonitoringConfig) -> Watcher:
    return Watcher(MODEL, config, lambda digest: Reference(world.manifest, world.profile))


@pytest.mark.parametrize(("floors", "share"), [(NO_FLOORS, 1.0), (Floors(), 0.5)])
def test_independent_rows_alarm_no_more_often_than_the_budget(floors: Floors, share: float) -> None:
    """Confirmed at once and without a cooldown, every alarming bucket is said. Exact binomial bound, wrong once in 10^4."""
    config = MonitoringConfig(effect_floors=floors, confirm_after=1, cooldown=Duration(0))
    worlds, days, alarming = 40, 15, 0
    for seed in range(worlds):
        world = World(1_000 + seed)
        watcher = watcher_of(world, config)
        for day in range(days):
            verdict = watcher.look(bucket_of(world.view(day)))
            alarming += any(event.transition == "confirmed" for event in verdict.events)
        watcher.close()
    rate = config.alarm_level(DAY_MS)
    assert alarming <= stats.binom.isf(1e-4, worlds * days, rate * share)


def run(world: World, config: MonitoringConfig, days: Sequence[bool]) -> list[DriftEvent]:
    watcher = watcher_of(world, config)
    return [event for day, bad in enumerate(days) for event in watcher.look(bucket_of(world.view(day, is_broken=bad))).events]


def test_a_broken_stream_is_suspected_confirmed_and_cleared() -> None:
    events = run(World(1), MonitoringConfig(), [False] * 3 + [True] * 3 + [False] * 4)
    course = [(event.transition, event.bucket_start_ms // DAY_MS) for event in events if event.detector == "inputs_quality"]
    assert course == [("suspected", 3), ("confirmed", 4), ("cleared", 8)]
    assert {event.kind for event in events} >= {"data_quality", "feature_drift", "score_drift"}
    worst = next(event for event in events if event.detector == "inputs_quality")
    assert worst.rows == 600
    assert [one.p_value for one in worst.evidence] == sorted(one.p_value for one in worst.evidence)
    assert len({event.id for event in events}) == len(events)
    assert events == run(World(1), MonitoringConfig(), [False] * 3 + [True] * 3 + [False] * 4)


def test_another_bundle_begins_anew_and_its_verdicts_are_its_own() -> None:
    world = World(2)
    watcher = watcher_of(world, MonitoringConfig())
    first = watcher.look(bucket_of(world.view(0, is_broken=True), "a")).events
    second = watcher.look(bucket_of(world.view(1, is_broken=True), "b")).events
    assert {event.transition for event in first + second} == {"suspected"}
    assert {event.digest for event in second} == {"b"}


def test_thin_buckets_and_unknown_bundles_give_no_verdict() -> None:
    world = World(3)
    watcher = watcher_of(world, MonitoringConfig())
    thin = watcher.look(bucket_of(world.view(0, rows=150, is_broken=True)))
    assert not thin.events
    assert not thin.tests
    refused = Watcher(MODEL, MonitoringConfig(), lambda digest: None)
    assert not refused.look(bucket_of(world.view(1, is_broken=True))).events


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
