"""An archiving stage over topics of its own, and whole days of rows for it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from streams.archiving.config import ArchivingConfig
from streams.archiving.decoding import Decoder
from streams.archiving.labels import LabelDecoder
from streams.archiving.stage import ArchivingStage
from streams.archiving.tables import Filed, Tables, Writer
from streams.contracts.records import Label, Outcome, Prediction, WorkerReport
from streams.contracts.schema import Column, ModelSchema
from streams.contracts.topics import TABLE, topic_name
from streams.lake.lake import Lake
from streams.runtime.clock import SystemClock
from streams.runtime.durations import Duration
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import watermark_record
from streams.transport.admin import ensure_topics
from streams.transport.follower import Follower
from streams.transport.publisher import Publisher
from streams.transport.records import Output

DAY = 86_400_000
FIRST = 15_000 * DAY
"""Labels aren't from before 1980; the other tables' days may be."""

PARTITIONS = 2
LABEL_PARTITIONS = 3
SCHEMA = ModelSchema(columns=(Column(name="place", kind="category"), Column(name="size", kind="number")))


def tables(model: str, label_writer: Writer | None) -> Tables:
    """Labels have a partition more than the others, as a user's topic may."""
    ours = {kind: Filed(topic_name(kind, model), PARTITIONS, Decoder(SCHEMA, kind)) for kind in ("predictions", "outcomes")}
    return {**ours, "labels": Filed(topic_name("labels", model), LABEL_PARTITIONS, LabelDecoder(SCHEMA), label_writer)}


def stage(bootstrap: str, model: str, lake: Lake, **changes: object) -> ArchivingStage:
    config = ArchivingConfig(flush_every=Duration.of("1d"), flush_rows=40, max_records=16)
    given: dict[str, Any] = {
        "tables": tables(model, "source"),
        "config": config,
        "spared": dict,
        "replay": True,
        "epoch": "e",
        "clock": SystemClock(),
        "telemetry": Telemetry([model]),
    }
    return ArchivingStage(model=model, bootstrap=bootstrap, lake=lake, **(given | changes))


async def make_topics(bootstrap: str, model: str) -> None:
    names = {topic_name(kind, model): TABLE[kind] for kind in ("predictions", "outcomes", "workers", "quarantine")}
    await ensure_topics(bootstrap, names, PARTITIONS)
    await ensure_topics(bootstrap, {topic_name("labels", model): TABLE["labels"]}, LABEL_PARTITIONS)


async def write_day(publisher: Publisher, model: str, day: int, rows: int = 30) -> None:
    """Write one day of predictions, their outcomes and labels, and the watermark at its end."""
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
        label = msgspec.json.encode(Label(f"{day}-{number}", 1.0, FIRST + time_ms))
        await publisher.send(Output(topic_name("labels", model), number % LABEL_PARTITIONS, None, label))
    for partition in range(LABEL_PARTITIONS):
        key, value, headers = watermark_record("source", (day + 1) * DAY)
        await publisher.send(Output(topic_name("labels", model), partition, key, value, headers))
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
