"""Monitoring over a real broker: summaries in, events out; killed in mid-stream, each event is committed once."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa

from streams.contracts.events import DriftEvent, decode_event
from streams.contracts.topics import TABLE, topic_name
from streams.detectors.checks import DAY_MS, World
from streams.inference.store import BundleStore, write_bundle
from streams.monitoring.config import MonitoredModel, MonitoringConfig
from streams.monitoring.stage import MonitoringStage
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import read_watermark, watermark_record
from streams.transport.admin import ensure_topics
from streams.transport.broker import EmbeddedBroker
from streams.transport.follower import Follower
from streams.transport.publisher import Publisher
from streams.transport.records import Output, Record

WRITERS = 2
DAYS = [False, False, True, True, True, False, False, False, True, True]


def publish_bundle(root: Path, model: str, world: World) -> str:
    """Publish a bundle with the world's profile; monitoring reads no graph."""
    manifest = msgspec.structs.replace(world.manifest, model=model)
    write_bundle(root.parent / f"made-{model}", manifest, b"no graph", pa.table({"size": [0.0]}), world.profile)
    return BundleStore(root).publish(model, root.parent / f"made-{model}")


def model_of(name: str) -> MonitoredModel:
    return MonitoredModel(
        name,
        "binary",
        summaries=topic_name("summaries", name),
        state=topic_name("state", name, "monitoring"),
        events=topic_name("events"),
        writers=WRITERS,
        bucket_ms=DAY_MS,
    )


def stage_of(bootstrap: str, name: str, root: Path) -> MonitoringStage:
    config = MonitoringConfig(max_records=3)
    return MonitoringStage(
        model_of(name), bootstrap=bootstrap, store=BundleStore(root), telemetry=Telemetry([name]), config=config
    )


async def make_topics(bootstrap: str, name: str) -> None:
    names = {topic_name("summaries", name): TABLE["summaries"], topic_name("events"): TABLE["events"]}
    names[topic_name("state", name, "monitoring")] = TABLE["state"]
    await ensure_topics(bootstrap, names, 1)


def day_of(world: World, name: str, digest: str, day: int) -> list[Output]:
    """The summaries of one day by both writers, each followed by its watermark."""
    outputs = []
    for partition in range(WRITERS):
        view = world.view(day, rows=400, is_broken=DAYS[day])
        for slot, summary in (("inputs", view.inputs), ("champion", view.losses)):
            assert summary is not None
            own = msgspec.structs.replace(summary, model=name, digest=digest, partition=partition)
            key = f"{name}/{digest}/{slot}/{own.bucket_start_ms}/{partition}".encode()
            outputs.append(Output(topic_name("summaries", name), 0, key, msgspec.json.encode(own)))
        mark = watermark_record(str(partition), (day + 1) * DAY_MS)
        outputs.append(Output(topic_name("summaries", name), 0, *mark))
    return outputs


async def until(bootstrap: str, name: str, watermark_ms: int) -> list[Record]:
    """Read the events topic until monitoring of this model has passed the watermark; gives the model's committed records."""
    follower = Follower(bootstrap, [topic_name("events")])
    records: list[Record] = list(await follower.start())
    try:
        async with asyncio.timeout(60):
            while (name, watermark_ms) not in marks(records, name):
                records += await follower.poll(500)
    finally:
        await follower.stop()
    return records


def marks(records: Sequence[Record], name: str) -> list[tuple[str, int]]:
    found = (read_watermark(record.key, record.headers) for record in records)
    return [(name, mark[1]) for mark in found if mark is not None and mark[0] == f"monitoring/{name}"]


def events(records: Sequence[Record], name: str) -> list[DriftEvent]:
    own = (record for record in records if record.key == name.encode())
    return [decode_event(record.value or b"", list(record.headers)) for record in own]


async def test_drift_in_the_summaries_becomes_an_event(broker: EmbeddedBroker, unique: Callable[[str], str], tmp_path: Path):
    name, world = unique("w"), World(1)
    digest = publish_bundle(tmp_path / "registry", name, world)
    await make_topics(broker.bootstrap, name)
    publisher = Publisher(broker.bootstrap)
    await publisher.start()
    async with stage_of(broker.bootstrap, name, tmp_path / "registry"):
        for day in range(len(DAYS)):
            await publisher.send_many(day_of(world, name, digest, day))
        records = await until(broker.bootstrap, name, len(DAYS) * DAY_MS)
    await publisher.stop()
    found = events(records, name)
    course = [(event.transition, event.bucket_start_ms // DAY_MS) for event in found if event.detector == "inputs_quality"]
    assert course == [("confirmed", 2), ("confirmed", 9)], "said at once, and again after the cool-down, for it isn't over"
    assert {event.digest for event in found} == {digest}
    assert [mark for _, mark in marks(records, name)] == [(day + 1) * DAY_MS for day in range(len(DAYS))]


async def test_kills_double_and_lose_no_event(broker: EmbeddedBroker, unique: Callable[[str], str], tmp_path: Path):
    name, world = unique("k"), World(1)
    root = tmp_path / "registry"
    digest = publish_bundle(root, name, world)
    await make_topics(broker.bootstrap, name)
    publisher = Publisher(broker.bootstrap)
    await publisher.start()
    days = [day_of(world, name, digest, day) for day in range(len(DAYS))]
    code = f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}]; import test_monitoring_stage as it; "
    code += f"it.run_until_killed({broker.bootstrap!r}, {name!r}, {str(root)!r})"
    sent = 0
    for stop in (3, 5, 9):
        child = subprocess.Popen([sys.executable, "-c", code])  # noqa: ASYNC220, S603 - the test must hold it to kill it
        try:
            for day in days[sent:stop]:
                await publisher.send_many(day)
            # A part of the next day is in the air when it dies.
            await publisher.send_many(days[stop][:4])
            days[stop], sent = days[stop][4:], stop
            await until(broker.bootstrap, name, stop * DAY_MS)
        finally:
            child.send_signal(signal.SIGKILL)
            await asyncio.to_thread(child.wait)
    async with stage_of(broker.bootstrap, name, root):
        await publisher.send_many(days[9])
        killed = await until(broker.bootstrap, name, len(DAYS) * DAY_MS)
    await publisher.stop()
    found = [event.id for event in events(killed, name)]
    assert len(found) == len(set(found)) >= 6
    assert [mark for _, mark in marks(killed, name)] == [(day + 1) * DAY_MS for day in range(len(DAYS))]
    assert found == await _undisturbed(broker.bootstrap, name, killed, root, unique)


async def _undisturbed(
    bootstrap: str, name: str, killed: Sequence[Record], root: Path, unique: Callable[[str], str]
) -> list[str]:
    """The same summaries to a stage that nobody kills, with a state and an events topic of its own."""
    follower = Follower(bootstrap, [topic_name("summaries", name)])
    count = len(await follower.start())
    await follower.stop()
    assert count == len(DAYS) * 6
    quiet, state = unique("events"), unique("state")
    await ensure_topics(bootstrap, {quiet: TABLE["events"], state: TABLE["state"]}, 1)
    stage = MonitoringStage(
        model_of(name)._replace(events=quiet, state=state),
        bootstrap=bootstrap,
        store=BundleStore(root),
        telemetry=Telemetry([name]),
    )
    reader = Follower(bootstrap, [quiet])
    records: list[Record] = list(await reader.start())
    async with stage, asyncio.timeout(60):
        while (name, len(DAYS) * DAY_MS) not in marks(records, name):
            records += await reader.poll(500)
    await reader.stop()
    return [event.id for event in events(records, name)]


def run_until_killed(bootstrap: str, name: str, root: str) -> None:
    """Be the process that dies."""

    async def forever() -> None:
        async with stage_of(bootstrap, name, Path(root)):
            await asyncio.Event().wait()

    asyncio.run(forever())
