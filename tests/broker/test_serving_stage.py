"""The serving stage on a real broker with real bundles: quarantine, swaps, refusals, windows, and a worker that is killed."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest_asyncio

from streams.contracts.canary import takes
from streams.contracts.features import Window
from streams.contracts.records import Canary, Deployment, Prediction, Slot
from streams.dialects import native
from streams.inference.session import load
from streams.inference.store import BundleStore
from streams.lake.lake import Lake
from streams.runtime.watermark import watermark_record
from streams.serving.history import lake_history
from streams.serving.stage import ServingStage
from streams.transport.broker import EmbeddedBroker
from streams.transport.membership import Worker
from streams.transport.publisher import Publisher
from streams.transport.records import Output
from tests.kit.bundles import SCHEMA, START_MS, make_bundle, rows_of
from tests.kit.serving import PARTITIONS, SKEW_MS, Watcher, deploy, make_topics, running, stage_of

COUNT = Window(aggregate="count", source="requests", by=("owner",), range_ms=3_600_000)
MEAN = Window(aggregate="mean", source="outcomes", column="label", by=("owner",), range_ms=3_600_000)
ROOT = Path(__file__).parents[2]


class Bench:
    """A model of its own on the session's broker."""

    def __init__(self, bootstrap: str, model: str, registry: Path) -> None:
        self.bootstrap = bootstrap
        self.model = model
        self.registry = registry
        self.publisher = Publisher(bootstrap)
        self.watcher = Watcher(bootstrap, model)
        self._rows = rows_of(997, seed=7)

    def bundle(self, seed: int, windows: tuple[Window, ...] = ()) -> str:
        return make_bundle(self.registry, model=self.model, seed=seed, windows=windows, skew_ms=SKEW_MS)

    def columns(self, number: int) -> dict:
        return {name: values[number % 997] for name, values in self._rows.items()}

    def request(self, number: int, time_ms: int) -> Output:
        value = native.example(f"r{number}", time_ms, self.columns(number)).value
        return Output(f"{self.model}.requests", number % PARTITIONS, b"k%d" % number, value)

    async def send(self, *outputs: Output) -> None:
        await self.publisher.send_many(outputs)

    async def reach(self, time_ms: int, *topics: str) -> None:
        """Write watermarks, as a replay's source (requests) or the join (outcomes) does."""
        outputs = []
        for topic in topics or ("requests",):
            for number in range(PARTITIONS):
                key, value, headers = watermark_record("source" if topic == "requests" else str(number), time_ms)
                outputs.append(Output(f"{self.model}.{topic}", number, key, value, headers))
        await self.send(*outputs)

    async def reported(self, generation: int) -> None:
        await self.watcher.until(
            lambda w: len(w.reports) == PARTITIONS and all(report.generation >= generation for report in w.reports.values())
        )


@pytest_asyncio.fixture
async def bench(broker: EmbeddedBroker, unique, tmp_path: Path) -> AsyncIterator[Bench]:  # noqa: ANN001
    bench = Bench(broker.bootstrap, unique("toys"), tmp_path / "registry")
    await make_topics(broker.bootstrap, bench.model)
    await bench.publisher.start()
    await bench.watcher.start()
    yield bench
    await bench.watcher.stop()
    await bench.publisher.stop()


async def test_poison_goes_to_quarantine_and_the_rest_is_scored_exactly(bench: Bench) -> None:
    digest = bench.bundle(0)
    poison = {10: b"junk", 11: b'{"id":"x"}', 12: native.example("x", 5, bench.columns(1)).value, 13: None}
    outputs = [bench.request(number, START_MS + number) for number in range(40)]
    for number, value in poison.items():
        outputs[number] = Output(f"{bench.model}.requests", number % PARTITIONS, b"p", value)
    await bench.send(*outputs)
    async with running(stage_of(bench.bootstrap, bench.model, bench.registry, replay=False)):
        await bench.reported(0)
        assert all(report.ready == () for report in bench.watcher.reports.values())
        await deploy(bench.publisher, bench.model, 1, digest)
        await bench.watcher.until(lambda w: len(w.answered()) == 40)
    assert bench.watcher.answered() == [(partition, offset) for partition in range(PARTITIONS) for offset in range(20)]
    reasons = {r.offset * PARTITIONS + r.partition: r.reason for r in bench.watcher.rejected}
    assert reasons == {10: "not_json", 11: "missing_field", 12: "absurd_time", 13: "not_json"}
    assert {r.topic for r in bench.watcher.rejected} == {f"{bench.model}.requests"}
    assert all(report.ready == (digest,) and report.generation == 1 for report in bench.watcher.reports.values())
    assert sorted((m["partition"], m["first_offset"]) for m in bench.watcher.markers) == [(0, 0), (1, 0)]
    scorer = load(BundleStore(bench.registry), bench.model, digest)
    for prediction in bench.watcher.predictions:
        columns = {name: [value] for name, value in prediction.columns.items()}
        assert prediction.score == float(scorer.score(columns, {}, [prediction.time_ms])[0])
        assert (prediction.digest, prediction.generation, prediction.id) == (digest, 1, f"r{number_of(prediction)}")
        assert prediction.columns == bench.columns(number_of(prediction))


def number_of(prediction: Prediction) -> int:
    return prediction.offset * PARTITIONS + prediction.partition


async def test_a_swap_splits_exactly_at_its_event_time(bench: Bench) -> None:
    first, second, shadow = bench.bundle(0), bench.bundle(1), bench.bundle(2)
    await deploy(bench.publisher, bench.model, 1, first)
    async with running(stage_of(bench.bootstrap, bench.model, bench.registry, replay=True)):
        await bench.reach(START_MS)
        await bench.send(*(bench.request(number, START_MS + number) for number in range(60)))
        await bench.watcher.until(lambda w: len(w.answered()) == 60)
        await deploy(bench.publisher, bench.model, 2, first, preparing=(second,))
        await bench.reported(2)
        assert second in bench.watcher.reports[0].ready
        await deploy(bench.publisher, bench.model, 3, second, START_MS + 100, shadow=shadow)
        await bench.reported(3)
        await bench.send(*(bench.request(number, START_MS + number) for number in range(60, 160)))
        await bench.reach(START_MS + 160)
        await bench.watcher.until(lambda w: len(w.answered()) == 160)
        await bench.watcher.until(lambda w: set(w.watermarks.values()) == {START_MS + 160})
    assert set(bench.watcher.watermarks) == {(partition, str(partition)) for partition in range(PARTITIONS)}
    served = {number_of(prediction): prediction for prediction in bench.watcher.predictions}
    # Offset 0 of each partition is the source's first watermark.
    served = {prediction.time_ms - START_MS: prediction for prediction in served.values()}
    assert [served[number].digest for number in range(160)] == [first] * 100 + [second] * 60
    # The preparing record is in force from time 0, but was read after the first 60 rows were answered.
    assert [served[number].generation for number in range(160)] == [1] * 60 + [2] * 40 + [3] * 60
    assert [[s.name for s in served[number].shadows] for number in (99, 100)] == [[], ["shadow"]]
    assert served[100].shadows[0].digest == shadow
    assert len(bench.watcher.answered()) == len(set(bench.watcher.answered()))


async def test_a_bad_bundle_is_refused_and_the_champion_goes_on(bench: Bench) -> None:
    good, flipped = bench.bundle(0), bench.bundle(1)
    file = bench.registry / bench.model / flipped / "model.onnx"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    other_schema = make_bundle(
        bench.registry, model=bench.model, schema=type(SCHEMA)(columns=SCHEMA.columns[:3]), seed=3, skew_ms=SKEW_MS
    )
    other_skew = make_bundle(bench.registry, model=bench.model, windows=[COUNT], seed=4, skew_ms=SKEW_MS + 1)
    await deploy(bench.publisher, bench.model, 1, good)
    async with running(stage_of(bench.bootstrap, bench.model, bench.registry, replay=False)):
        bad = ["0" * 64, flipped, other_schema, other_skew]
        for generation, digest in enumerate(bad, start=2):
            await deploy(bench.publisher, bench.model, generation, digest, shadow=digest)
            await bench.reported(generation)
            assert digest in bench.watcher.reports[1].refused
            await bench.send(
                *(bench.request(number, START_MS + number) for number in range(generation * 10, generation * 10 + 10))
            )
            await bench.watcher.until(lambda w, wanted=(generation - 1) * 10: len(w.answered()) == wanted)
    refused = bench.watcher.reports[0].refused
    assert {digest: reason.split(":")[0] for digest, reason in refused.items()}.items() <= {
        "0" * 64: "manifest.json",
        flipped: "model.onnx",
        other_schema: "manifest",
        other_skew: "manifest",
    }.items()
    assert "skew" in refused[other_skew]
    assert bench.watcher.reports[0].ready == (good,)
    assert {(p.digest, p.generation, len(p.shadows)) for p in bench.watcher.predictions} == {(good, 1, 0)}


def archived(rows: int) -> pa.Table:
    """History from before the stream: one request and one label per second and owner."""
    owners = ["blue", "green"] * rows
    times = [START_MS - 1_000 * (rows - i // 2) for i in range(2 * rows)]
    columns = {"weight": [1.0] * 2 * rows, "distance": [1.0] * 2 * rows, "colour": owners, "owner": owners, "note": owners}
    labels = [float(i % 4 < 2) for i in range(2 * rows)]
    return pa.table({"id": [str(i) for i in range(2 * rows)], "time_ms": times, **columns, "label": labels, "known_ms": times})


async def test_a_canary_answers_its_keys_and_a_stranger_deploys_nothing(bench: Bench) -> None:
    champion, trial = bench.bundle(0), bench.bundle(1)
    canary = Canary(digest=trial, weight=0.3, salt="a trial")
    await deploy(bench.publisher, bench.model, 1, champion)
    async with running(stage_of(bench.bootstrap, bench.model, bench.registry, replay=False)):
        await deploy(bench.publisher, bench.model, 2, champion, canary=canary)
        await bench.reported(2)
        await bench.watcher.until(lambda w: all(trial in report.ready for report in w.reports.values()))
        stranger = Deployment(
            model=bench.model, generation=3, active=(Slot(name="champion", digest=trial),), effective_ms=0, reason="mine"
        )
        await bench.publisher.send(Output("driftwake.deployments", 0, bench.model.encode(), msgspec.json.encode(stranger)))
        await bench.send(*(bench.request(number, START_MS + number) for number in range(600)))
        await bench.watcher.until(lambda w: len(w.answered()) == 600)
    by_route = {(p.route, p.digest, p.shadows[0].name, p.shadows[0].digest) for p in bench.watcher.predictions}
    assert by_route == {("champion", champion, "canary", trial), ("canary", trial, "champion", champion)}
    taken = {number_of(p) for p in bench.watcher.predictions if p.route == "canary"}
    assert taken == {number for number in range(600) if takes(canary, b"k%d" % number, f"r{number}")}
    store = BundleStore(bench.registry)
    scorers = {"champion": load(store, bench.model, champion), "canary": load(store, bench.model, trial)}
    for prediction in bench.watcher.predictions:
        columns = {name: [value] for name, value in prediction.columns.items()}
        told = {prediction.route: prediction.score, prediction.shadows[0].name: prediction.shadows[0].score}
        assert told == {name: float(one.score(columns, {}, [prediction.time_ms])[0]) for name, one in scorers.items()}
    assert {prediction.generation for prediction in bench.watcher.predictions} == {2}


async def test_two_workers_share_the_partitions_and_each_takes_over_from_the_other(bench: Bench) -> None:
    digest = bench.bundle(0, windows=(COUNT,))
    await deploy(bench.publisher, bench.model, 1, digest)

    def stage(worker: str) -> ServingStage:
        return stage_of(bench.bootstrap, bench.model, bench.registry, replay=False, worker=Worker(worker), watermark_every_ms=50)

    async def answered(first: int) -> None:
        await bench.send(*(bench.request(number, START_MS + number) for number in range(first, first + 100)))
        await bench.watcher.until(lambda w: len(w.answered()) == first + 100)

    def epochs(watcher: Watcher) -> set[str]:
        return {report.epoch for report in watcher.reports.values()}

    async with running(stage("one")):
        await answered(0)
        async with running(stage("two")):
            await bench.watcher.until(lambda w: epochs(w) == {"one", "two"})
            assert all(report.ready == (digest,) for report in bench.watcher.reports.values())
            await answered(100)
        await answered(200)
        await bench.watcher.until(lambda w: epochs(w) == {"one"})
    async with running(stage("three")):
        await answered(300)
        # Event time goes on in all partitions, whoever answers them.
        newest = START_MS + 399
        await bench.watcher.until(lambda w: len(w.watermarks) == PARTITIONS and min(w.watermarks.values()) >= newest - PARTITIONS)
    assert bench.watcher.answered() == [(partition, offset) for partition in range(PARTITIONS) for offset in range(200)]
    assert len(bench.watcher.markers) == PARTITIONS, "a generation begins once in each partition"


async def test_a_new_windows_past_is_there_when_it_takes_traffic(bench: Bench, tmp_path: Path) -> None:
    """Backfilled from the lake and the log, also after a restart; in a replay every row sees all it should."""
    lake = Lake(tmp_path / "lake")
    lake.import_history(bench.model, SCHEMA, archived(120), "before")
    plain, windowed = bench.bundle(0), bench.bundle(1, windows=(COUNT, MEAN))
    history = lake_history(lake, bench.model)
    await deploy(bench.publisher, bench.model, 1, plain)

    async def bucket(number: int) -> None:
        begin = START_MS + number * SKEW_MS
        await bench.send(*(bench.request(100 * number + i, begin + i * 600) for i in range(100)))
        await bench.reach(begin + SKEW_MS, "requests", "outcomes")

    await bench.reach(START_MS, "requests", "outcomes")
    async with running(stage_of(bench.bootstrap, bench.model, bench.registry, replay=True, history=history)):
        await bucket(0)
        await bench.watcher.until(lambda w: len(w.answered()) == 100)
        await deploy(bench.publisher, bench.model, 2, windowed, START_MS + SKEW_MS)
        await bench.reported(2)
        for number in (1, 2, 3):
            await bucket(number)
        await bench.watcher.until(lambda w: len(w.answered()) == 400)
    async with running(stage_of(bench.bootstrap, bench.model, bench.registry, replay=True, history=history)):
        for number in (4, 5):
            await bucket(number)
        await bench.watcher.until(lambda w: len(w.answered()) == 600)

    old = archived(120).to_pylist()
    facts = [(row["time_ms"], row["owner"]) for row in old]
    facts += [(p.time_ms, p.columns["owner"]) for p in bench.watcher.predictions if not p.flags]
    checked = 0
    for prediction in bench.watcher.predictions:
        if prediction.generation == 1:
            assert prediction.windows == {}
            continue
        owner, until = prediction.columns["owner"], prediction.time_ms - SKEW_MS
        seen = [at for at, key in facts if key == owner and until - 3_600_000 <= at < until]
        labels = [row["label"] for row in old if row["owner"] == owner and until - 3_600_000 <= row["known_ms"] < until]
        assert prediction.windows[COUNT.name] == (None if owner is None else float(len(seen)))
        assert prediction.windows[MEAN.name] == (sum(labels) / len(labels) if labels else None)
        checked += owner is not None and len(seen) > 0
    assert checked > 300


async def test_a_killed_worker_leaves_no_request_without_and_none_with_two_answers(bench: Bench) -> None:
    digest = bench.bundle(0)
    await deploy(bench.publisher, bench.model, 1, digest)
    total = 6_000
    outputs = [bench.request(number, START_MS + number) for number in range(total)]
    for number in range(0, total, 50):
        outputs[number] = msgspec.structs.replace(outputs[number], value=b"junk")
    await bench.send(*outputs)
    kills = 0
    for goal in (200, 1_000, 2_500, total):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.kit.serving", bench.bootstrap, bench.model, str(bench.registry), cwd=ROOT
        )
        try:
            await bench.watcher.until(lambda w, goal=goal: len(w.answered()) >= goal)
        finally:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(signal.SIGKILL)
            await child.wait()
        kills += len(bench.watcher.answered()) < total
    assert kills >= 2, "the worker was killed among its work"
    expected = [(partition, offset) for partition in range(PARTITIONS) for offset in range(total // PARTITIONS)]
    assert bench.watcher.answered() == expected
    assert len(bench.watcher.rejected) == total // 50
    for partition in range(PARTITIONS):
        offsets = [p.offset for p in bench.watcher.predictions if p.partition == partition]
        assert offsets == sorted(offsets)
    assert len(bench.watcher.markers) == PARTITIONS
