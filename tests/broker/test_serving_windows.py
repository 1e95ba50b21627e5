"""Windows on a real broker: their past is there when they take traffic, and what they hold outlives the worker."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pyarrow as pa
import pytest
import structlog.testing

from streams.contracts.features import Window
from streams.lake.lake import Lake
from streams.serving.stage import ServingStage
from streams.transport.membership import Worker
from tests.kit.bundles import SCHEMA, START_MS
from tests.kit.serving import PARTITIONS, SKEW_MS, Bench, Watcher, deploy, number_of, running, stage_of

COUNT = Window(aggregate="count", source="requests", by=("owner",), range_ms=3_600_000)
MEAN = Window(aggregate="mean", source="outcomes", column="label", by=("owner",), range_ms=3_600_000)
LONG_COUNT, LONG_MEAN = (msgspec.structs.replace(window, range_ms=86_400_000) for window in (COUNT, MEAN))
ROOT = Path(__file__).parents[2]


def archived(rows: int) -> pa.Table:
    """History from before the stream: one request and one label per second and owner."""
    owners = ["blue", "green"] * rows
    times = [START_MS - 1_000 * (rows - i // 2) for i in range(2 * rows)]
    columns = {"weight": [1.0] * 2 * rows, "distance": [1.0] * 2 * rows, "colour": owners, "owner": owners, "note": owners}
    labels = [float(i % 4 < 2) for i in range(2 * rows)]
    return pa.table({"id": [str(i) for i in range(2 * rows)], "time_ms": times, **columns, "label": labels, "known_ms": times})


async def test_a_new_windows_past_is_there_when_it_takes_traffic(bench: Bench, tmp_path: Path) -> None:
    """Backfilled from the lake and the log, also after a restart; in a replay every row sees all it should."""
    lake = Lake(tmp_path / "lake")
    lake.import_history(bench.model, SCHEMA, archived(120), "before")
    plain, windowed = bench.bundle(0), bench.bundle(1, windows=(COUNT, MEAN))
    await deploy(bench.publisher, bench.model, 1, plain)

    async def bucket(number: int) -> None:
        begin = START_MS + number * SKEW_MS
        await bench.send(*(bench.request(100 * number + i, begin + i * 600) for i in range(100)))
        await bench.reach(begin + SKEW_MS, "requests", "outcomes")

    await bench.reach(START_MS, "requests", "outcomes")
    async with running(stage_of(bench.bootstrap, bench.model, bench.registry, replay=True, lake=lake)):
        await bucket(0)
        await bench.watcher.until(lambda w: len(w.answered()) == 100)
        await deploy(bench.publisher, bench.model, 2, windowed, START_MS + SKEW_MS)
        await bench.reported(2)
        for number in (1, 2, 3):
            await bucket(number)
        await bench.watcher.until(lambda w: len(w.answered()) == 400)
    async with running(stage_of(bench.bootstrap, bench.model, bench.registry, replay=True, lake=lake)):
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


async def test_a_long_past_is_taken_in_beside_serving_and_seen_on_the_way(bench: Bench, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    lake.import_history(bench.model, SCHEMA, archived(100_000), "before")
    await deploy(bench.publisher, bench.model, 1, bench.bundle(0))
    shares: list[float] = []

    def is_done(watcher: Watcher) -> bool:
        shares.extend(report.backfilled for report in watcher.reports.values() if report.generation == 2)
        return all(report.generation == 2 and windowed in report.ready for report in watcher.reports.values())

    async with running(
        stage_of(bench.bootstrap, bench.model, bench.registry, replay=False, lake=lake, snapshot=tmp_path / "kept")
    ):
        await bench.send(*(bench.request(number, START_MS + number) for number in range(10)))
        await bench.watcher.until(lambda w: len(w.answered()) == 10)
        windowed = bench.bundle(1, windows=(LONG_COUNT, LONG_MEAN))
        await deploy(bench.publisher, bench.model, 2, windowed)
        await bench.send(*(bench.request(number, START_MS + number) for number in range(10, 1_000)))
        await bench.watcher.until(is_done)
        await bench.send(*(bench.request(number, START_MS + number) for number in range(1_000, 1_010)))
        await bench.watcher.until(lambda w: len(w.answered()) == 1_010)
    begun = [share for share in shares if share < 1]
    assert len(set(begun)) >= 5
    assert begun == sorted(begun)
    generations = [prediction.generation for prediction in sorted(bench.watcher.predictions, key=number_of)]
    assert generations[10:100] == [1] * 90, "the old champion answers while the new one takes in its past"
    assert generations[-10:] == [2] * 10
    newest = [p for p in bench.watcher.predictions if number_of(p) > 1_000]  # of a fact each second, those a minute before
    assert {p.windows[LONG_COUNT.name] for p in newest if p.columns["owner"] in {"blue", "green"}} == {86_400.0}


async def test_a_partition_that_moves_amid_a_backfill_is_answered_on(bench: Bench, tmp_path: Path) -> None:
    """And who comes with nothing takes no partition before it knows the past."""
    lake = Lake(tmp_path / "lake")
    lake.import_history(bench.model, SCHEMA, archived(100_000), "before")
    await deploy(bench.publisher, bench.model, 1, bench.bundle(0))
    windowed = bench.bundle(1, windows=(LONG_COUNT, LONG_MEAN))

    def stage(name: str) -> ServingStage:
        return stage_of(
            bench.bootstrap, bench.model, bench.registry, replay=False, lake=lake, snapshot=tmp_path / name, worker=Worker(name)
        )

    async def answered(first: int, last: int) -> None:
        await bench.send(*(bench.request(number, START_MS + number) for number in range(first, last)))
        await bench.watcher.until(lambda w: len(w.answered()) == last)

    def epochs(watcher: Watcher) -> set[str]:
        return {report.epoch for report in watcher.reports.values()}

    def is_amid(watcher: Watcher) -> bool:
        return any(report.epoch == "two" and 0 < report.backfilled < 1 for report in watcher.reports.values())

    async with running(stage("one")):
        async with running(stage("two")):
            await bench.watcher.until(lambda w: epochs(w) == {"one", "two"})
            await answered(0, 100)
            await deploy(bench.publisher, bench.model, 2, windowed)
            await bench.watcher.until(is_amid)
        await answered(100, 200)
        await bench.watcher.until(lambda w: epochs(w) == {"one"} and all(windowed in r.ready for r in w.reports.values()))
        await answered(200, 300)
        with structlog.testing.capture_logs() as logs:
            async with running(stage("three")):
                await bench.watcher.until(lambda w: epochs(w) == {"one", "three"})
                await answered(300, 400)
    told = [entry["event"] for entry in logs]
    assert told.index("WindowsRestored") < told.index("TaskAssigned"), "it takes over what it can answer"
    assert bench.watcher.answered() == [(partition, offset) for partition in range(PARTITIONS) for offset in range(200)]
    generations = {number_of(prediction): prediction.generation for prediction in bench.watcher.predictions}
    assert {generations[number] for number in range(100)} == {1}
    assert {generations[number] for number in range(200, 400)} == {2}
    newest = [p for p in bench.watcher.predictions if number_of(p) >= 200]  # of a fact each second, those a minute before
    assert {p.windows[LONG_COUNT.name] for p in newest if p.columns["owner"] in {"blue", "green"}} == {86_400.0}


async def test_a_stage_that_stops_amid_a_backfill_leaves_nothing(bench: Bench, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    lake.import_history(bench.model, SCHEMA, archived(100_000), "before")
    await deploy(bench.publisher, bench.model, 1, bench.bundle(0, windows=(LONG_COUNT, LONG_MEAN)))
    stage = stage_of(bench.bootstrap, bench.model, bench.registry, replay=False, lake=lake, snapshot=tmp_path / "kept")
    async with running(stage):
        await bench.watcher.until(lambda w: any(0 < report.backfilled < 1 for report in w.reports.values()))
        (child,) = children()
    assert not child.is_running()
    assert not (tmp_path / "kept.rebuilt").exists()


def children() -> list[psutil.Process]:
    """The processes that rebuild windows for this one."""
    return [child for child in psutil.Process().children() if "streams.rebuild" in child.cmdline()]


async def test_a_killed_worker_goes_on_with_what_its_windows_held(bench: Bench, tmp_path: Path) -> None:
    """Values are those of a run that was never interrupted, and what was in the snapshot isn't read again."""
    spread = Window(aggregate="std", source="requests", column="weight", by=("owner",), range_ms=600_000, where="distance > 1")
    windows, snapshot = (COUNT, spread), tmp_path / "worker.windows"
    await deploy(bench.publisher, bench.model, 1, bench.bundle(0, windows=windows))
    steps, rows = 24, 40  # in a step, rows see those of steps before it alone: 40 rows are 24 s, the skew is a minute

    async def send(step: int) -> None:
        numbers = range(step * rows, (step + 1) * rows)
        await bench.send(*(bench.request(number, START_MS + number * 600) for number in numbers))

    def is_done(step: int) -> Callable[[Watcher], bool]:
        return lambda watcher: len(watcher.answered()) >= (step + 1) * rows

    arguments = [bench.bootstrap, bench.model, str(bench.registry), str(snapshot)]
    for part in range(3):
        child = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.kit.serving", *arguments, cwd=ROOT)
        try:
            for step in range(part * 7, part * 7 + 6):
                await send(step)
                await bench.watcher.until(is_done(step))
            await send(part * 7 + 6)
            await bench.watcher.until(lambda w, part=part: len(w.answered()) > (part * 7 + 6) * rows)
        finally:
            child.send_signal(signal.SIGKILL)
            await child.wait()
    with structlog.testing.capture_logs() as logs:
        async with running(stage_of(bench.bootstrap, bench.model, bench.registry, replay=False, snapshot=snapshot)):
            for step in range(21, steps):
                await send(step)
                await bench.watcher.until(is_done(step))
    (restored,) = [entry for entry in logs if entry["event"].startswith("Windows")]
    assert restored["event"] == "WindowsRestored"
    assert restored["log_records"] < 7 * rows

    answered = {number_of(p): p for p in bench.watcher.predictions}
    assert len(answered) == steps * rows
    checked = 0
    for number, prediction in answered.items():
        owner, until = prediction.columns["owner"], prediction.time_ms - SKEW_MS
        seen = [p for p in answered.values() if not p.flags and p.columns["owner"] == owner and p.time_ms < until]
        passing = [p.columns for p in seen if p.time_ms >= until - 600_000 and (p.columns["distance"] or 0) > 1]
        weights = [row["weight"] for row in passing if row["weight"] is not None]
        assert prediction.windows[COUNT.name] == (None if owner is None else len(seen)), number
        expected = None if owner is None or len(weights) < 2 else pytest.approx(np.std(weights, ddof=1), rel=1e-9)
        assert prediction.windows[spread.name] == expected, number
        checked += owner is not None and len(weights) > 1
    assert checked > 300
