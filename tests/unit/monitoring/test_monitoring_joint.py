"""Whole rows of the reference on their way from the bundle's file to the detectors that look at columns together."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
from structlog.testing import capture_logs

from streams.contracts.bundle import REFERENCE_FILE
from streams.contracts.summaries import InputSummary
from streams.detectors.checks import DAY_MS, World
from streams.inference.store import BundleStore
from streams.monitoring.buckets import Bucket
from streams.monitoring.config import MonitoredModel, MonitoringConfig
from streams.monitoring.task import MonitoringTask
from streams.monitoring.watching import Reference, Watcher
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import watermark_record
from streams.transport.records import Record
from tests.kit.bundles import make_bundle

MODEL = MonitoredModel("m", "binary", "s", "state", "driftwake.events", 1, DAY_MS)
KINDS = ("inputs_pca", "inputs_mmd", "inputs_classifier")


def task_of(store: BundleStore, model: MonitoredModel) -> MonitoringTask:
    return MonitoringTask(model, config=MonitoringConfig(detectors=KINDS), store=store, telemetry=Telemetry(["m"]))


def test_rows_are_read_from_the_bundle_and_an_altered_file_gives_none(tmp_path: Path) -> None:
    digest = make_bundle(tmp_path / "registry")
    store = BundleStore(tmp_path / "registry")
    reference = task_of(store, MODEL._replace(name="toys"))._reference(digest)
    assert reference is not None
    rows = reference.read_rows()
    assert isinstance(rows, pa.Table)
    assert rows.equals(store.read_reference("toys", digest))
    (store.path("toys", digest) / REFERENCE_FILE).write_bytes(b"other")
    with capture_logs() as logs:
        assert reference.read_rows() is None
    assert [one["event"] for one in logs] == ["ReferenceUnreadable"]


async def test_rows_are_read_in_the_thread_that_looks_at_buckets(tmp_path: Path) -> None:
    world, threads = World(4), list[threading.Thread]()

    def read_rows() -> pa.Table:
        threads.append(threading.current_thread())
        return world.reference

    task = task_of(BundleStore(tmp_path), MODEL)
    task._references["d"] = Reference(world.manifest, world.profile, read_rows)
    records = []
    for day in range(3):
        view = world.view(day)
        records.append(Record("s", 0, 2 * day, b"m", msgspec.json.encode(view.inputs), (), 0))
        key, value, headers = watermark_record("0", (day + 1) * DAY_MS)
        records.append(Record("s", 0, 2 * day + 1, key, value, tuple(headers), 0))
    await task.process(records, rebuilding=False)
    task.stop()
    assert len(threads) == len(KINDS), "once by each, whatever the number of buckets"
    assert threading.main_thread() not in threads


@pytest.mark.parametrize("kind", KINDS)
def test_all_columns_alarm_together_and_the_event_shows_before_and_after(kind: str) -> None:
    world = World(1)
    reference = Reference(world.manifest, world.profile, lambda: world.reference)
    watcher = Watcher(MODEL, MonitoringConfig(detectors=(kind,)), lambda _: reference)
    events = []
    for day in range(12):
        inputs = world.view(day, is_broken=day >= 8).inputs
        assert isinstance(inputs, InputSummary)
        events += watcher.look(Bucket(day * DAY_MS, (day + 1) * DAY_MS, {"d": [inputs]}, {})).events
    watcher.close()
    first = next(event for event in events if event.transition == "confirmed")
    assert (first.detector, first.kind, first.bucket_start_ms >= 8 * DAY_MS) == (kind, "feature_drift", True)
    (evidence,) = first.evidence
    assert evidence.watched == "all columns"
    name = next(iter(evidence.before))
    assert evidence.after[name] > evidence.before[name]
