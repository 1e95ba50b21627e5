"""Workers that measure and watch are killed, join and leave at drawn moments: what is said is what is said without.

`make faults SEEDS=0-19` draws the moments twenty times.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from streams.contracts.events import DriftEvent, decode_event
from streams.contracts.records import Outcome, Prediction, TaskState
from streams.contracts.topics import TABLE, topic_name
from streams.detectors.checks import DAY_MS, World
from streams.inference.store import BundleStore, write_bundle
from streams.runtime.watermark import read_watermark, watermark_record
from streams.transport.admin import ensure_topics
from streams.transport.broker import EmbeddedBroker
from streams.transport.follower import Follower
from streams.transport.publisher import Publisher
from streams.transport.records import Output, Record, position_key
from tests.kit.watch_worker import PARTITIONS, Run, stages_of

pytestmark = pytest.mark.full

ROOT = Path(__file__).parents[2]
DAYS = 12
BROKEN = {4, 5, 6, 10, 11}
ROWS = 150
NAMES = ("a", "b")


async def test_what_is_said_does_not_depend_on_who_dies_when(
    broker: EmbeddedBroker, unique: Callable[[str], str], tmp_path: Path, fault_seed: int
) -> None:
    name, drawn = unique("watched"), random.Random(fault_seed)  # noqa: S311 - drawn again from its seed
    disturbed, quiet = Run(name, ""), Run(name, ".quiet")
    digest = _publish_bundle(tmp_path, name)
    await _make_topics(broker.bootstrap, disturbed, quiet)
    publisher = Publisher(broker.bootstrap)
    await publisher.start()
    workers: dict[str, asyncio.subprocess.Process] = {}
    sent: Counter[str] = Counter()
    try:
        for worker in NAMES:
            workers[worker] = await _start(broker.bootstrap, disturbed, tmp_path, worker)
        for day in range(DAYS):
            outputs = _day(name, digest, day)
            cut = drawn.randrange(len(outputs))
            await publisher.send_many(outputs[:cut])
            sent.update(map(_place, outputs))
            if drawn.random() < 0.5:
                if drawn.random() < 0.7:
                    # What it knows of the day is in its memory alone.
                    await _until_folded(broker.bootstrap, disturbed, sent - Counter(map(_place, outputs[cut:])))
                victim = drawn.choice(NAMES)
                workers[victim].send_signal(drawn.choice([signal.SIGKILL, signal.SIGTERM]))
                await workers[victim].wait()
                workers[victim] = await _start(broker.bootstrap, disturbed, tmp_path, victim)
            await publisher.send_many(outputs[cut:])
            if drawn.random() < 0.5:
                await _until(broker.bootstrap, disturbed, (day + 1) * DAY_MS)
        found = await _until(broker.bootstrap, disturbed, DAYS * DAY_MS)
    finally:
        for process in workers.values():
            process.kill()
            await process.wait()
        await publisher.stop()
    measuring, monitoring = stages_of(broker.bootstrap, quiet, tmp_path / "registry")
    async with measuring, monitoring:
        wanted = await _until(broker.bootstrap, quiet, DAYS * DAY_MS)
    assert len({event.id for event in wanted}) == len(wanted) >= 6
    assert found == wanted


def _publish_bundle(folder: Path, name: str) -> str:
    world = World(1)
    manifest = msgspec.structs.replace(world.manifest, model=name)
    write_bundle(folder / "made", manifest, b"no graph", pa.table({"size": [0.0]}), world.profile)
    return BundleStore(folder / "registry").publish(name, folder / "made")


async def _make_topics(bootstrap: str, *runs: Run) -> None:
    name = runs[0].model
    await ensure_topics(bootstrap, {topic_name(kind, name): TABLE[kind] for kind in ("predictions", "outcomes")}, PARTITIONS)
    for run in runs:
        await ensure_topics(bootstrap, {run.state("measuring"): TABLE["state"]}, PARTITIONS)
        single = {run.summaries: "summaries", run.events: "events", run.state("monitoring"): "state"}
        await ensure_topics(bootstrap, {topic: TABLE[kind] for topic, kind in single.items()}, 1)


async def _start(bootstrap: str, run: Run, folder: Path, name: str) -> asyncio.subprocess.Process:
    arguments = [bootstrap, run.model, str(folder / "registry"), run.suffix, name]
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.kit.watch_worker", *arguments, cwd=ROOT)


def _day(name: str, digest: str, day: int) -> list[Output]:
    """One day's predictions and outcomes, partition by partition in turn, each partition's watermarks last."""
    generator, is_broken = np.random.default_rng(day), day in BROKEN
    rows = []
    for number in range(ROWS * PARTITIONS):
        size = float(generator.normal(1.5 if is_broken else 0.0))
        score, partition = float(generator.beta(2, 2)), number % PARTITIONS
        prediction = Prediction(
            id=f"{day}-{number}", partition=partition, offset=day * ROWS + number // PARTITIONS,
            time_ms=day * DAY_MS + number * DAY_MS // (ROWS * PARTITIONS),
            columns={"size": size, "colour": str(generator.choice(["red", "green", "blue"]))},
            score=score, digest=digest, generation=1,
        )  # fmt: skip
        label = float(generator.random() < (0.5 if is_broken else score))
        outcome = Outcome(
            prediction=prediction, label=label, known_ms=prediction.time_ms, label_partition=partition, label_offset=number
        )
        rows += [
            Output(topic_name(kind, name), partition, b"k", msgspec.json.encode(record))
            for kind, record in (("predictions", prediction), ("outcomes", outcome))
        ]
    marks = [
        Output(topic_name(kind, name), partition, *watermark_record(str(partition), (day + 1) * DAY_MS))
        for partition in range(PARTITIONS)
        for kind in ("predictions", "outcomes")
    ]
    return rows + marks


def _place(output: Output) -> str:
    return position_key(output.topic, output.partition)


async def _until_folded(bootstrap: str, run: Run, sent: Mapping[str, int]) -> None:
    """Wait until measuring has read so many records of each partition."""
    follower, reached = Follower(bootstrap, [run.state("measuring")]), dict[str, int]()
    records: Sequence[Record] = list(await follower.start())
    try:
        async with asyncio.timeout(90):
            while True:
                for record in records:
                    reached |= msgspec.json.decode(record.value or b"", type=TaskState).positions
                if all(reached.get(place, 0) >= count for place, count in sent.items()):
                    return
                records = await follower.poll(500)
    finally:
        await follower.stop()


async def _until(bootstrap: str, run: Run, watermark_ms: int) -> list[DriftEvent]:
    """Wait until monitoring has passed the watermark; return all that was said so far."""
    follower = Follower(bootstrap, [run.events])
    records: list[Record] = list(await follower.start())
    try:
        async with asyncio.timeout(90):
            while not _has_passed(records, watermark_ms):
                records += await follower.poll(500)
    finally:
        await follower.stop()
    return [decode_event(one.value or b"", list(one.headers)) for one in records if one.key == run.model.encode()]


def _has_passed(records: Sequence[Record], watermark_ms: int) -> bool:
    found = (read_watermark(record.key, record.headers) for record in records)
    return any(mark is not None and mark[1] >= watermark_ms for mark in found)
