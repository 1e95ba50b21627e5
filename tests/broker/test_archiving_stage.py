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
from deltalake import DeltaTable

from streams.archiving.config import ArchivingConfig
from streams.archiving.decoding import Decoder
from streams.contracts.errors import LakeError
from streams.contracts.records import Label, Rejected
from streams.contracts.topics import topic_name
from streams.lake.compaction import FEW
from streams.lake.lake import Lake
from streams.runtime.watermark import watermark_record
from streams.transport.broker import EmbeddedBroker
from streams.transport.follower import Follower
from streams.transport.membership import Worker
from streams.transport.publisher import Publisher
from streams.transport.records import Output
from tests.kit.archives import (
    DAY,
    FIRST,
    SCHEMA,
    make_topics,
    stage,
    tables,
    until_reported,
    write_day,
)


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


class DyingKeeperLake(Lake):
    """A lake whose process is killed while its tables are put in order: after some of them were."""

    def __init__(self, root: Path | str, dies_after: int) -> None:
        super().__init__(root)
        self._left = dies_after

    def handle(self, model: str, table: str) -> DeltaTable | None:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1
        return super().handle(model, table)


def ids(lake: Lake, model: str, table: str) -> Counter[str]:
    return Counter(lake.read(model, table, ["id"]).column("id").to_pylist())


def archived(lake: Lake, model: str) -> list[Counter[str]]:
    return [ids(lake, model, table) for table in ("predictions", "outcomes", "labels")]


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
            assert archived(lake, model) == [expected_ids(day + 1)] * 3
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
    await until_killed(broker.bootstrap, model, f"it.DyingLake({str(tmp_path)!r}, {dies_after})")
    assert any(lake.exists(model, table) for table in ("predictions", "outcomes", "labels"))
    async with stage(broker.bootstrap, model, lake):
        await until_reported(broker.bootstrap, model, 2 * DAY)
        assert archived(lake, model) == [expected_ids(2)] * 3
    await publisher.stop()


async def until_killed(bootstrap: str, model: str, lake: str) -> None:
    """Archive in a process of its own, into a lake that ends it."""
    code = f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}]; import test_archiving_stage as it; "
    code += f"it.run_until_killed({bootstrap!r}, {model!r}, {lake})"
    done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], capture_output=True, timeout=90, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def run_until_killed(bootstrap: str, model: str, lake: Lake) -> None:
    """Be the process that dies."""

    async def forever() -> None:
        async with stage(bootstrap, model, lake):
            await asyncio.Event().wait()

    asyncio.run(forever())


def files(root: Path, model: str, table: str) -> int:
    """Count the files of a table's first day."""
    days = pa.table(DeltaTable(root / model / table).get_add_actions(flatten=True)).column("partition.date")
    return days.cast(pa.int32()).to_pylist().count(0)


async def test_files_of_a_day_are_merged_before_its_boundary_is_told(
    broker: EmbeddedBroker, unique: Callable[[str], str], tmp_path: Path
):
    model, lake = unique("m"), Lake(tmp_path)
    await make_topics(broker.bootstrap, model)
    publisher = Publisher(broker.bootstrap)
    await write_day(publisher, model, 0, rows=400)
    async with stage(broker.bootstrap, model, lake):
        await until_reported(broker.bootstrap, model, DAY)
        for table in ("predictions", "outcomes"):
            assert ids(lake, model, table) == expected_ids(1, rows=400)
            assert lake.version(model, table) > FEW + 2  # one made the table, one merged what the others had brought
            assert files(tmp_path, model, table) == 1
        await write_day(publisher, model, 1, rows=400)
        await until_reported(broker.bootstrap, model, 2 * DAY)
    assert ids(lake, model, "predictions") == ids(lake, model, "outcomes") == expected_ids(2, rows=400)
    await publisher.stop()


@pytest.mark.parametrize("dies_after", [0, 1])
async def test_a_kill_while_files_are_merged_costs_nothing(
    broker: EmbeddedBroker, unique: Callable[[str], str], tmp_path: Path, dies_after: int
):
    model, lake = unique("d"), Lake(tmp_path)
    await make_topics(broker.bootstrap, model)
    publisher = Publisher(broker.bootstrap)
    await write_day(publisher, model, 0, rows=400)
    await until_killed(broker.bootstrap, model, f"it.DyingKeeperLake({str(tmp_path)!r}, {dies_after})")
    assert ids(lake, model, "predictions") == ids(lake, model, "outcomes") == expected_ids(1, rows=400)
    assert (files(tmp_path, model, "predictions") == 1) == (dies_after == 1)
    assert files(tmp_path, model, "outcomes") > FEW
    await write_day(publisher, model, 1, rows=10)
    async with stage(broker.bootstrap, model, lake):
        await until_reported(broker.bootstrap, model, 2 * DAY)
    assert files(tmp_path, model, "predictions") == files(tmp_path, model, "outcomes") == 1
    assert (
        ids(lake, model, "predictions")
        == ids(lake, model, "outcomes")
        == expected_ids(1, rows=400) + Counter(f"1-{number}" for number in range(10))
    )
    await publisher.stop()


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
    rows = Decoder(SCHEMA, "predictions").decode([]).rows
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


async def test_labels_are_filed_as_they_came_and_what_joining_refuses_is_left_to_it(
    broker: EmbeddedBroker, unique: Callable[[str], str], tmp_path: Path
):
    """One that no prediction waits for, a correction, a null, and what is none, in a topic of more partitions than the others."""
    model, lake = unique("l"), Lake(tmp_path)
    await make_topics(broker.bootstrap, model)
    publisher, topic = Publisher(broker.bootstrap), topic_name("labels", model)
    told = [("never-asked", 1.0), ("a", 0.0), ("a", 1.0), ("b", None)]
    values = [msgspec.json.encode(Label(name, label, FIRST + place)) for place, (name, label) in enumerate(told)]
    broken = [b"broken", msgspec.json.encode(Label("c", 7.0, FIRST)), msgspec.json.encode(Label("c", 1.0, 5)), None]
    await publisher.send_many([Output(topic, 2, b"k", value) for value in [*values[:2], *broken, *values[2:]]])
    # A user's topic may hold what looks like watermarks; live nobody is believed.
    await publisher.send(Output(topic, 0, *watermark_record("source", 100_000 * DAY)))
    live = {"replay": False, "tables": tables(model, None), "config": ArchivingConfig(flush_seconds=0.05)}
    async with stage(broker.bootstrap, model, lake, **live):
        await write_day(publisher, model, 0, rows=0)
        await until_reported(broker.bootstrap, model, DAY)
    async with stage(broker.bootstrap, model, lake, **live):
        await publisher.send(Output(topic, 1, None, msgspec.json.encode(Label("late", 1.0, FIRST + DAY))))
        await write_day(publisher, model, 1, rows=0)
        await until_reported(broker.bootstrap, model, 2 * DAY)
    rows = lake.read(model, "labels").to_pylist()
    assert [(row["id"], row["label"], row["known_ms"] - FIRST, row["partition"], row["offset"]) for row in rows] == [
        ("never-asked", 1.0, 0, 2, 0), ("a", 0.0, 1, 2, 1), ("a", 1.0, 2, 2, 6), ("b", None, 3, 2, 7), ("late", 1.0, DAY, 1, 1)
    ]  # fmt: skip
    assert lake.positions(model, "labels") == {f"{topic}/2": 8, f"{topic}/1": 2}
    follower = Follower(broker.bootstrap, [topic_name("quarantine")])
    assert not [record for record in await follower.start() if record.key == model.encode()]
    await follower.stop()
    await publisher.stop()
