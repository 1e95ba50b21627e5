"""The serving stage on a real broker with real bundles: quarantine, swaps, refusals, windows, and a worker that is killed."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from itertools import pairwise
from pathlib import Path

import msgspec

from streams.contracts.canary import takes
from streams.contracts.features import Window
from streams.contracts.records import Canary, Deployment, Slot
from streams.dialects import native
from streams.inference.session import load
from streams.inference.store import BundleStore
from streams.serving.stage import ServingStage
from streams.transport.membership import Worker
from streams.transport.records import Output
from tests.kit.bundles import SCHEMA, START_MS, make_bundle
from tests.kit.serving import PARTITIONS, SKEW_MS, Bench, Watcher, deploy, number_of, running, stage_of

COUNT = Window(aggregate="count", source="requests", by=("owner",), range_ms=3_600_000)
ROOT = Path(__file__).parents[2]


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
    no_filter = Window(aggregate="count", source="requests", range_ms=1, where="gone > 1")
    other_window = make_bundle(bench.registry, model=bench.model, windows=[no_filter], seed=5, skew_ms=SKEW_MS)
    await deploy(bench.publisher, bench.model, 1, good)
    async with running(stage_of(bench.bootstrap, bench.model, bench.registry, replay=False)):
        bad = ["0" * 64, flipped, other_schema, other_skew, other_window]
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
        other_window: "manifest",
    }.items()
    assert "skew" in refused[other_skew]
    assert "'gone'" in refused[other_window]
    assert bench.watcher.reports[0].ready == (good,)
    assert {(p.digest, p.generation, len(p.shadows)) for p in bench.watcher.predictions} == {(good, 1, 0)}


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
        own = [p for p in bench.watcher.predictions if p.partition == partition]
        offsets = [-1, *(p.offset for p in own)]
        assert offsets == sorted(offsets)
        # What lies between two answers was rejected, whichever worker had come to it.
        assert [p.rejected_before for p in own] == [offset - before - 1 for before, offset in pairwise(offsets)]
    assert len(bench.watcher.markers) == PARTITIONS
