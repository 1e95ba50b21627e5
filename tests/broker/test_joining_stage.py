"""Predictions and labels on a real broker become outcomes, each once, whoever is killed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from streams.contracts.records import MARKER_HEADER, Label, Outcome, Prediction
from streams.joining.config import JoinedModel
from streams.joining.rekey import partition_of
from streams.runtime.watermark import read_watermark, watermark_record
from streams.transport.broker import EmbeddedBroker
from streams.transport.records import Output, Record
from tests.kit.joiner import joined_model, stage_of
from tests.kit.topics import make_topics, publish, read_all, read_until

START = 1_700_000_000_000
PARTITIONS, LABEL_PARTITIONS = 2, 3


async def topics_of(bootstrap: str, name: str) -> JoinedModel:
    model = joined_model(name, PARTITIONS, LABEL_PARTITIONS)
    equal = (model.predictions, model.join_predictions, model.join_labels, model.outcomes, model.match_state)
    await make_topics(bootstrap, *equal, partitions=PARTITIONS)
    await make_topics(bootstrap, model.labels, partitions=LABEL_PARTITIONS)
    await make_topics(bootstrap, model.rekey_state, partitions=PARTITIONS + LABEL_PARTITIONS)
    await make_topics(bootstrap, "driftwake.quarantine")
    return model


def predictions_of(model: JoinedModel, numbers: range) -> list[Output]:
    outputs = []
    for number in numbers:
        value = Prediction(
            id=f"p{number}", partition=number % PARTITIONS, offset=number // PARTITIONS, time_ms=START + number,
            columns={"a": float(number)}, score=0.25, digest="d" * 64, generation=1,
        )  # fmt: skip
        outputs.append(Output(model.predictions, number % PARTITIONS, b"a key of the user's", msgspec.json.encode(value)))
    return outputs


def labels_of(model: JoinedModel, numbers: list[int]) -> list[Output]:
    return [
        Output(
            model.labels,
            number % LABEL_PARTITIONS,
            b"another",
            msgspec.json.encode(Label(f"p{number}", float(number % 2), START + number + 60_000)),
        )
        for number in numbers
    ]


def watermarks(topic: str, partitions: int, writer: Callable[[int], str], time_ms: int) -> list[Output]:
    outputs = []
    for partition in range(partitions):
        key, value, headers = watermark_record(writer(partition), time_ms)
        outputs.append(Output(topic, partition, key, value, headers))
    return outputs


def ends_of(model: JoinedModel, time_ms: int) -> list[Output]:
    """What serving and the source write when event time has come so far."""
    return [
        *watermarks(model.predictions, PARTITIONS, str, time_ms),
        *watermarks(model.labels, LABEL_PARTITIONS, lambda _: "source", time_ms),
    ]


def outcomes_in(records: list[Record]) -> list[tuple[Record, Outcome]]:
    """Outcomes, without the watermarks between them."""
    data = [record for record in records if read_watermark(record.key, record.headers) is None]
    return [(record, msgspec.json.decode(record.value or b"", type=Outcome)) for record in data]


def newest_watermarks(records: list[Record]) -> dict[int, tuple[str, int]]:
    found = ((record.partition, read_watermark(record.key, record.headers)) for record in records)
    return {partition: watermark for partition, watermark in found if watermark is not None}


@pytest.mark.timeout(180)
async def test_kills_lose_and_double_nothing(broker: EmbeddedBroker, unique: Callable[[str], str]):
    bootstrap, total, missing = broker.bootstrap, 6_000, 500
    model = await topics_of(bootstrap, unique("joined"))
    numbers = np.random.default_rng(1).permutation(total)[missing:].tolist()
    predictions, labels = predictions_of(model, range(total)), labels_of(model, numbers)
    end = START + total + 60_000
    arguments = (bootstrap, model.name, str(PARTITIONS), str(LABEL_PARTITIONS))
    await publish(bootstrap, [*labels[:1_500], *predictions[:3_000]])
    for part in range(4):
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.kit.joiner", *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert worker.stdout is not None
        assert await worker.stdout.readline() == b"ready\n"
        await publish(bootstrap, predictions[3_000 + 750 * part : 3_750 + 750 * part])
        await publish(bootstrap, labels[1_500 + 1_000 * part : 2_500 + 1_000 * part])
        await read_until(bootstrap, model.outcomes, 300 * (part + 1))
        worker.kill()
        await worker.wait()
    await publish(bootstrap, ends_of(model, end))
    async with stage_of(bootstrap, model) as stage:
        records = await read_until(bootstrap, model.outcomes, len(numbers) + PARTITIONS)
        found = outcomes_in(records)
        assert sorted(outcome.prediction.id for _, outcome in found) == sorted(f"p{number}" for number in numbers)
        assert newest_watermarks(records) == {number: (str(number), end) for number in range(PARTITIONS)}
        assert stage.counts == {
            "predictions": total,
            "labels": len(numbers),
            "joined": len(numbers),
        }
    assert all(record.partition == partition_of(outcome.prediction.id, PARTITIONS) for record, outcome in found)
    sent = {(output.partition, output.value) for output in labels}
    read = {(record.partition, record.offset): record.value for record in await read_all(bootstrap, model.labels)}
    assert {(o.label_partition, read[o.label_partition, o.label_offset]) for _, o in found} == sent


async def test_rules_hold_on_the_wire_and_bad_labels_go_to_quarantine(broker: EmbeddedBroker, unique: Callable[[str], str]):
    bootstrap = broker.bootstrap
    model = await topics_of(bootstrap, unique("rules"))
    marker = Output(model.predictions, 0, b"dw:marker:0", b"{}", ((MARKER_HEADER, b"1"),))
    later = msgspec.json.encode(Label("p1", 0.0, START + 90_000))
    never = msgspec.json.encode(Label("p2", None, START + 90_000))
    unknown = msgspec.json.encode(Label("nobody", 1.0, START + 90_000))
    await publish(
        bootstrap,
        [
            marker,
            *predictions_of(model, range(4)),
            predictions_of(model, range(1))[0],
            *labels_of(model, [0, 1]),
            *[Output(model.labels, 1, None, value) for value in (later, later, never, unknown, b"no json")],
            *ends_of(model, START + 40 * 86_400_000),
        ],
    )
    async with stage_of(bootstrap, model) as stage:
        records = await read_until(bootstrap, model.outcomes, 3 + PARTITIONS)
        assert stage.counts == {
            "predictions": 5, "labels": 6, "joined": 2, "corrected": 1, "repeated": 1, "never": 1, "unknown": 1, "duplicate": 1,
            "unlabelled": 1,
        }  # fmt: skip
    shown = {(outcome.prediction.id, outcome.label, outcome.revision) for _, outcome in outcomes_in(records)}
    assert shown == {("p0", 0.0, 0), ("p1", 1.0, 0), ("p1", 0.0, 1)}
    rejected = [record for record in await read_all(bootstrap, "driftwake.quarantine") if record.key == model.name.encode()]
    assert [dict(record.headers)["dw_reason"] for record in rejected] == [b"not_json"]
