"""The stage over a real broker: killed where it hurts most, it neither loses nor doubles a row."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from streams.archiving.config import ArchivingConfig
from streams.archiving.stage import ArchivingStage
from streams.contracts.errors import LakeError
from streams.contracts.records import Outcome, Prediction, Rejected, WorkerReport
from streams.contracts.schema import Column, ModelSchema
from streams.contracts.topics import TABLE, topic_name
from streams.lake.lake import Lake
from streams.runtime.clock import SystemClock
from streams.runtime.durations import Duration
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import watermark_record
from streams.transport.admin import ensure_topics
from streams.transport.broker import EmbeddedBroker
from streams.transport.follower import Follower
from streams.transport.membership import Worker
from streams.transport.publisher import Publisher
from streams.transport.records import Output

DAY = 86_400_000
PARTITIONS = 2
SCHEMA = ModelSchema(columns=(Column(name="place", kind="category"), Column(name="size", kind="number")))


class DyingLake(Lake):
    """A lake whose process is killed right after a commit, before anybody can hear of it."""

    def __init__(self, root: Path | str, dies_after: int) -> None:
        super().__init__(root)
        self._left = dies_after

    def append(self, *arguments: object, **named: object) -> int:
        version = super().append(*arguments, **named)  # type: ignore[arg-type]
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return version


def stage(bootstrap: str, model: str, lake: Lake, **changes: object) -> ArchivingStage:
    config = ArchivingConfig(flush_every=Duration.of("1d"), flush_rows=40, max_records=16)
    return ArchivingStage(
        model=model,
        schema=SCHEMA,
        topics={kind: topic_name(kind, model) for kind in ("predictions", "outcomes")},
        partitions=PARTITIONS,
        bootstrap=bootstrap,
        lake=lake,
        **{"config": config, "replay": True, "epoch": "e", "clock": SystemClock(), "telemetry": Telemetry([model])} | changes,  # type: ignore[arg-type]
    )


async def make_topics(bootstrap: str, model: str) -> None:
    names = {topic_name(kind, model): TABLE[kind] for kind in ("predictions", "outcomes", "workers", "quarantine")}
    await ensure_topics(bootstrap, names, PARTITIONS)


async def write_day(publisher: Publisher, model: str, day: int, rows: int = 30) -> None:
    """Write one day of predictions, their outcomes, and the watermark at its end."""
    for number in range(rows):
        time_ms = day * DAY + number
        prediction = Prediction(
            id=f"{day}-{number}",
            partition=number % PARTITIONS,
            offset=number,
            time_ms=time_ms,
            columns={"place": "a", "size": 1.0},
            score=0.5,
            digest="d",
            generation=1,
        )
        outcome = Outcome(prediction=prediction, label=1.0, known_ms=time_ms + 5, label_partition=0, label_offset=number)
        for kind, record in (("predictions", prediction), ("outcomes", outcome)):
            await publisher.send(Output(topic_name(kind, model), number % PARTITIONS, b"k", msgspec.json.encode(record)))
    for kind in ("predictions", "outcomes"):
        for partition in range(PARTITIONS):
            key, value, headers = watermark_record(str(partition), (day + 1) * DAY)
            await publisher.send(Output(topic_name(kind, model), partition, key, value, headers))


async def until_reported(bootstrap: str, model: str, boundary_ms: int) -> None:
    follower = Follower(bootstrap, [topic_name("workers")])
    records = await follower.start()
    try:
        async with asyncio.timeout(60):
            while not any(_reports(record.key, record.value, model, boundary_ms) for record in records):
                records = await follower.poll(500)
    finally:
        await follower.stop()


def _reports(key: bytes | None, value: bytes | None, model: str, boundary_ms: int) -> bool:
    if key != f"archiving/{model}/0".encode():
        return False
    return msgspec.json.decode(value or b"", type=WorkerReport).watermark_ms >= boundary_ms


def ids(lake: Lake, model: str, table: str) -> Counter[str]:
    return Counter(lake.read(model, table, ["id"]).column("id").to_pylist())


def expected_ids(days: int, rows: int = 30) -> Counter[str]:
    return Counter(f"{day}-{number}" for day in range(days) for number in range(rows))


async def test_at_a_boundary_everything_before_it_is_in_the_lake(
    broker: EmbeddedBroker, unique: Callable[[str], str], tmp_path: Path
):
    model, lake = unique("a"), Lake(tmp_path)
    await make_topics(broker.bootstrap, model)
    publisher = Publisher(broker.bootstrap)
    running = stage(broker.bootstrap, model, lake)
    async with running:
        for day in range(3):
            await write_day(publisher, model, day)
            await until_reported(broker.bootstrap, model, (day + 1) * DAY)
            assert ids(lake, model, "predictions") == ids(lake, model, "outcomes") == expected_ids(day + 1)
    await publisher.stop()
    assert sum(lake.positions(model, "predictions").values()) >= 90


@pytest.mark.parametrize("dies_after", [1, 2, 3])
async def test_a_kill_between_commit_and_report_costs_nothing(
    broker: EmbeddedBroker, unique: Callable[[str], str], tmp_path: Path, dies_after: int
):
    model, lake = unique("k"), Lake(tmp_path)
    await make_topics(broker.bootstrap, model)
    publisher = Publisher(broker.bootstrap)
    await write_day(publisher, model, 0)
    await write_day(publisher, model, 1)
    code = f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}]; import test_archiving_stage as it; "
    code += f"it.run_until_killed({broker.bootstrap!r}, {model!r}, {str(tmp_path)!r}, {dies_after})"
    done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], capture_output=True, timeout=90, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert lake.exists(model, "predictions") or lake.exists(model, "outcomes")
    async with stage(broker.bootstrap, model, lake):
        await until_reported(broker.bootstrap, model, 2 * DAY)
        assert ids(lake, model, "predictions") == ids(lake, model, "outcomes") == expected_ids(2)
    await publisher.stop()


def run_until_killed(bootstrap: str, model: str, root: str, dies_after: int) -> None:
    """Be the process that dies."""

    async def forever() -> None:
        async with stage(bootstrap, model, DyingLake(root, dies_after)):
            await asyncio.Event().wait()

    asyncio.run(forever())


async def test_a_stop_writes_what_is_held_and_live_goes_by_the_clock(
    broker: EmbeddedBroker, unique: Callable[[str], str], tmp_path: Path
):
    model, lake = unique("s"), Lake(tmp_path)
    await make_topics(broker.bootstrap, model)
    publisher = Publisher(broker.bootstrap)
    await write_day(publisher, model, 0, rows=10)
    live = ArchivingConfig(flush_seconds=0.05)
    async with stage(broker.bootstrap, model, lake, replay=False, config=live):
        await until_reported(broker.bootstrap, model, DAY)
        assert ids(lake, model, "outcomes") == expected_ids(1, rows=10)
        await write_day(publisher, model, 1, rows=10)
    async with stage(broker.bootstrap, model, lake, replay=False, config=live):
        await until_reported(broker.bootstrap, model, 2 * DAY)
    assert ids(lake, model, "predictions") == expected_ids(2, rows=10)
    await publisher.stop()


async def test_broken_records_go_to_quarantine(broker: EmbeddedBroker, unique: Callable[[str], str], tmp_path: Path):
    model, lake = unique("q"), Lake(tmp_path)
    await make_topics(broker.bootstrap, model)
    publisher = Publisher(broker.bootstrap)
    await publisher.send(Output(topic_name("predictions", model), 0, b"k", b"broken"))
    await write_day(publisher, model, 0)
    async with stage(broker.bootstrap, model, lake):
        await until_reported(broker.bootstrap, model, DAY)
    follower = Follower(broker.bootstrap, [topic_name("quarantine")])
    records = await follower.start()
    await follower.stop()
    rejected = [msgspec.json.decode(record.value or b"", type=Rejected) for record in records if record.key == model.encode()]
    assert [(one.offset, one.value, one.reason) for one in rejected] == [(0, b"broken", "undecodable")]
    assert ids(lake, model, "predictions") == expected_ids(1)
    await publisher.stop()


async def test_a_topic_made_anew_is_refused(broker: EmbeddedBroker, unique: Callable[[str], str], tmp_path: Path):
    model, lake = unique("n"), Lake(tmp_path)
    await make_topics(broker.bootstrap, model)
    rows = stage(broker.bootstrap, model, lake)._decoders["predictions"].decode([]).rows
    assert isinstance(rows, pa.Table)
    lake.append(model, "predictions", rows, {f"{topic_name('predictions', model)}/0": 1_000})
    running = stage(broker.bootstrap, model, lake)
    await running.start()
    async with asyncio.timeout(30):
        await running._finished.wait()
    await running.stop()
    assert isinstance(running.crash_reason, LakeError)
    assert "made anew" in str(running.crash_reason)


async def test_one_of_several_workers_archives_and_another_goes_on_when_it_leaves(
    broker: EmbeddedBroker, unique: Callable[[str], str], tmp_path: Path
):
    model, lake = unique("w"), Lake(tmp_path)
    await make_topics(broker.bootstrap, model)
    publisher = Publisher(broker.bootstrap)
    async with stage(broker.bootstrap, model, lake, worker=Worker("first"), epoch="first"):
        await write_day(publisher, model, 0)
        await until_reported(broker.bootstrap, model, DAY)
        async with stage(broker.bootstrap, model, lake, worker=Worker("second"), epoch="second"):
            await write_day(publisher, model, 1)
            await until_reported(broker.bootstrap, model, 2 * DAY)
        await write_day(publisher, model, 2)
        await until_reported(broker.bootstrap, model, 3 * DAY)
    async with stage(broker.bootstrap, model, lake, worker=Worker("third"), epoch="third"):
        await write_day(publisher, model, 3)
        await until_reported(broker.bootstrap, model, 4 * DAY)
    assert ids(lake, model, "predictions") == ids(lake, model, "outcomes") == expected_ids(4)
    await publisher.stop()
