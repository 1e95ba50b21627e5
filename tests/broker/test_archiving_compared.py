"""Over a real broker: what served is compared with what is archived, when all of it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from streams.archiving.config import ArchivingConfig
from streams.archiving.looked_up import SourceDecoder
from streams.archiving.parity import Checked, Parity
from streams.archiving.tables import Filed
from streams.contracts.bundle import Golden, Manifest
from streams.contracts.events import decode_event
from streams.contracts.features import Window
from streams.contracts.schema import Column, SourceSchema
from streams.contracts.topics import TABLE, topic_name
from streams.dialects import native
from streams.lake.lake import Lake
from streams.runtime.durations import Duration
from streams.runtime.telemetry import Telemetry
from streams.sources.registered import Registered
from streams.transport.admin import ensure_topics
from streams.transport.broker import EmbeddedBroker
from streams.transport.follower import Follower
from streams.transport.publisher import Publisher
from streams.transport.records import Output
from tests.kit.archives import DAY, FIRST, PARTITIONS, SCHEMA, make_topics, stage, tables, write_day


async def test_what_served_and_the_lake_denies_is_an_event(broker: EmbeddedBroker, unique: Callable[[str], str], tmp_path: Path):
    """The predictions say nothing of the window that their bundle reads."""
    model, lake = unique("p"), Lake(tmp_path)
    await make_topics(broker.bootstrap, model)
    await ensure_topics(broker.bootstrap, {topic_name("events"): TABLE["events"]}, PARTITIONS)
    count = Window(aggregate="count", source="requests", by=("place",), range_ms=DAY)
    golden = Golden(columns=[], windows=[], time_ms=[], scores=[])
    manifests = {"d": Manifest(model=model, schema=SCHEMA, windows=(count,), golden=golden)}
    telemetry, config = Telemetry([model]), ArchivingConfig(parity_every=Duration.of("1d"))
    parity = Parity(model, SCHEMA, lake=lake, manifest=manifests.__getitem__, config=config)
    publisher, follower = Publisher(broker.bootstrap), Follower(broker.bootstrap, [topic_name("events")])
    events = [record for record in await follower.start() if record.key == model.encode()]
    async with stage(broker.bootstrap, model, lake, parity=parity, telemetry=telemetry), asyncio.timeout(60):
        await write_day(publisher, model, 0)
        while not events:
            events += [record for record in await follower.poll(500) if record.key == model.encode()]
    await follower.stop()
    await publisher.stop()
    event = decode_event(events[0].value or b"", list(events[0].headers))
    assert (event.kind, event.transition, event.model, event.rows) == ("serving", "confirmed", model, 30)
    assert [evidence.watched for evidence in event.evidence] == [count.name]
    told = {"model": model, "result": "different"}
    assert telemetry.registry.get_sample_value("driftwake_archiving_parity_total", told) == 30


class CountingParity(Parity):
    """Says how much is archived of a source when it is compared."""

    counted: asyncio.Future[int]

    def look(self, boundary_ms: int) -> Checked:
        count = self._lake.read(self._model, "source_weather", ["id"]).num_rows
        self.counted.get_loop().call_soon_threadsafe(self.counted.set_result, count)
        return super().look(boundary_ms)


async def test_what_a_source_said_is_archived_before_it_is_compared(
    broker: EmbeddedBroker, unique: Callable[[str], str], tmp_path: Path
):
    """A source's topic is written 40 rows at a time, and no watermark says how far it has come."""
    model, lake = unique("s"), Lake(tmp_path)
    topic, source = f"{model}.weather", SourceSchema(name="weather", columns=(Column(name="wind", kind="number"),))
    schema = msgspec.structs.replace(SCHEMA, sources=(source,))
    await make_topics(broker.bootstrap, model)
    await ensure_topics(broker.bootstrap, {topic: TABLE["labels"], topic_name("events"): TABLE["events"]}, PARTITIONS)
    publisher = Publisher(broker.bootstrap)
    said = [native.example(f"w{number}", FIRST + number, {"wind": 1.0}).value for number in range(400)]
    await publisher.send_many([Output(topic, number % PARTITIONS, None, value) for number, value in enumerate(said)])
    await write_day(publisher, model, 0)
    weather = Registered("weather", topic, source.columns)
    filed = Filed(topic, PARTITIONS, SourceDecoder(schema, "weather", weather.open()), writer=None)
    given = {"tables": tables(model, None) | {"source_weather": filed}, "replay": False}
    given["config"] = ArchivingConfig(flush_rows=40, max_records=16, parity_every=Duration.of("1d"))
    manifests = {"d": Manifest(model=model, schema=schema, golden=Golden(columns=[], windows=[], time_ms=[], scores=[]))}
    parity = CountingParity(model, schema, lake=lake, manifest=manifests.__getitem__, config=given["config"])
    parity.counted = asyncio.get_running_loop().create_future()
    async with stage(broker.bootstrap, model, lake, parity=parity, **given), asyncio.timeout(60):
        assert await parity.counted == 400
    await publisher.stop()
