"""The bundle's graph on its way to the detectors that ask the model what it makes of rows."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from structlog.testing import capture_logs

from streams.contracts.bundle import MODEL_FILE, REFERENCE_FILE, STAND_IN
from streams.contracts.features import Window
from streams.contracts.summaries import InputSummary
from streams.detectors.base import Columns, Floats
from streams.detectors.checks import DAY_MS, World
from streams.inference.session import graph_of, load
from streams.inference.store import BundleStore, write_bundle
from streams.monitoring.buckets import Bucket
from streams.monitoring.config import MonitoredModel, MonitoringConfig
from streams.monitoring.task import MonitoringTask
from streams.monitoring.watching import Reference, Watcher
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import watermark_record
from streams.transport.records import Record
from tests.kit.bundles import START_MS, make_bundle, rows_of

KIND = "attributions_shapley"
CONFIG = MonitoringConfig(detectors=(KIND,))
MODEL = MonitoredModel("m", "binary", "s", "state", "driftwake.events", 1, DAY_MS)
WINDOW = Window(aggregate="mean", source="outcomes", column="label", by=("owner",), range_ms=3_600_000)


class Answering:
    """A world's model, which remembers in which thread it was made."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.thread = threading.current_thread()

    def __call__(self, rows: Columns, time_ms: Sequence[int]) -> Floats:
        return self._world.answer(rows, time_ms)


class Opened:
    """Opens models, and holds none of them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.made: list[weakref.ref[Answering]] = []
        self.threads: list[threading.Thread] = []

    def __call__(self) -> Answering:
        graph = Answering(self._world)
        self.made.append(weakref.ref(graph))
        self.threads.append(graph.thread)
        return graph


def reference_of(world: World, opened: Opened) -> Reference:
    return Reference(world.manifest, world.profile, lambda: world.reference, opened)


def bucket_of(world: World, day: int, digest: str = "d", *, is_broken: bool = False) -> Bucket:
    inputs = world.view(day, is_broken=is_broken).inputs
    assert isinstance(inputs, InputSummary)
    return Bucket(day * DAY_MS, (day + 1) * DAY_MS, {digest: [msgspec.structs.replace(inputs, digest=digest)]}, {})


def test_the_graph_answers_as_the_bundle_does_and_what_rows_lack_is_missing(tmp_path: Path) -> None:
    digest = make_bundle(tmp_path / "registry", windows=[WINDOW])
    store = BundleStore(tmp_path / "registry")
    task = MonitoringTask(MODEL._replace(name="toys"), config=CONFIG, store=store, telemetry=Telemetry(["toys"]))
    reference = task._reference(digest)
    assert reference is not None
    graph = reference.open_graph()
    assert graph is not None
    columns = rows_of(40, seed=5)
    windows = {WINDOW.name: [None, 1.0] * 20}
    times = [START_MS + number * 3_600_000 for number in range(40)]
    rows: dict[str, np.ndarray] = {name: np.array(columns[name], float) for name in ("weight", "distance")}
    rows |= {"colour": np.array([value or "" for value in columns["colour"]], object), WINDOW.name: np.array([np.nan, 1.0] * 20)}
    scorer = load(store, "toys", digest)
    np.testing.assert_array_equal(graph(rows, times), scorer.score(columns, windows, times))
    assert len(np.unique(graph({name: values[:1].repeat(24) for name, values in rows.items()}, times[:24]))) > 1, (
        "of the time too"
    )
    few = {"distance": rows["distance"]}
    nothing = {**dict.fromkeys(columns, [None] * 40), "distance": columns["distance"]}
    np.testing.assert_array_equal(graph(few, times), scorer.score(nothing, {WINDOW.name: [None] * 40}, times))


def test_an_altered_graph_is_not_asked_nor_one_that_stands_for_another_model(tmp_path: Path) -> None:
    digest = make_bundle(tmp_path / "registry")
    store = BundleStore(tmp_path / "registry")
    task = MonitoringTask(MODEL._replace(name="toys"), config=CONFIG, store=store, telemetry=Telemetry(["toys"]))
    bundle = store.read("toys", digest)
    stand_in = msgspec.structs.replace(bundle.manifest, lineage={STAND_IN: {"mean_distance": 0.1}})
    rows = (store.path("toys", digest) / REFERENCE_FILE).read_bytes()
    write_bundle(tmp_path / "other", stand_in, bundle.model, rows, bundle.profile)
    assert graph_of(bundle) is not None
    assert graph_of(store.read("toys", store.publish("toys", tmp_path / "other"))) is None
    reference = task._reference(digest)
    assert reference is not None
    (store.path("toys", digest) / MODEL_FILE).write_bytes(b"other")
    with capture_logs() as logs:
        assert reference.open_graph() is None
    assert [one["event"] for one in logs] == ["BundleRefused"]


async def test_it_is_opened_once_in_the_thread_that_looks_at_buckets(tmp_path: Path) -> None:
    world = World(4)
    opened = Opened(world)
    task = MonitoringTask(MODEL, config=CONFIG, store=BundleStore(tmp_path), telemetry=Telemetry(["m"]))
    task._references["d"] = reference_of(world, opened)
    records = []
    for day in range(3):
        records.append(Record("s", 0, 2 * day, b"m", msgspec.json.encode(world.view(day).inputs), (), 0))
        key, value, headers = watermark_record("0", (day + 1) * DAY_MS)
        records.append(Record("s", 0, 2 * day + 1, key, value, tuple(headers), 0))
    await task.process(records, rebuilding=False)
    (thread,) = opened.threads
    assert thread is not threading.main_thread()
    task.stop()
    assert opened.made[0]() is None


def test_nobody_opens_it_who_doesn_t_ask_and_it_is_closed_when_another_bundle_takes_over() -> None:
    world = World(4)
    opened = Opened(world)
    for kinds in (("feature_scores", "inputs_pca"), (KIND,)):
        watcher = Watcher(MODEL, MonitoringConfig(detectors=kinds), lambda _: reference_of(world, opened))
        watcher.look(bucket_of(world, 0))
        assert len(opened.made) == (KIND in kinds)
    assert opened.made[0]() is not None
    watcher.look(bucket_of(world, 1, "other"))
    assert [graph() is None for graph in opened.made] == [True, False]
    watcher.close()
    assert [graph() is None for graph in opened.made] == [True, True]


def test_an_alarm_names_the_column_that_the_model_leans_on_otherwise() -> None:
    world = World(1)
    seldom = MonitoringConfig(detectors=(KIND,), false_alarms_per_month=0.1)
    watcher = Watcher(MODEL, seldom, lambda _: reference_of(world, Opened(world)))
    events = []
    for day in range(12):
        events += watcher.look(bucket_of(world, day, is_broken=day >= 8)).events
    watcher.close()
    first = next(event for event in events if event.transition == "confirmed")
    assert (first.detector, first.kind, first.bucket_start_ms >= 8 * DAY_MS) == (KIND, "feature_drift", True)
    strongest = first.evidence[0]
    assert (strongest.watched, strongest.method) == ("size", "mean absolute attribution")
    assert strongest.after["attribution"] > 3 * strongest.before["attribution"]
    assert strongest.after["share"] > strongest.before["share"]
