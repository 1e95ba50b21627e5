"""A measured model without a broker: its task, its records, and what the task answers to them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from streams.contracts.bundle import CategoryProfile, NumberProfile, Profile, SliceProfile
from streams.contracts.records import Outcome, Prediction, ShadowScore
from streams.contracts.schema import Column, ModelSchema
from streams.contracts.slices import Condition, Slice
from streams.contracts.summaries import Summary
from streams.measuring.config import MeasuredModel, MeasuringConfig
from streams.measuring.task import MeasuringTask
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import read_watermark, watermark_record
from streams.transport.records import Record

DAY = 86_400_000
START = 1_699_920_000_000
DIGESTS = ("a" * 64, "b" * 64)
SCHEMA = ModelSchema(
    columns=(
        Column(name="size", kind="number"),
        Column(name="colour", kind="category"),
        Column(name="secret", kind="number", tags=("pii",)),
        Column(name="note", kind="category", role="ignored"),
    )
)

RED, SIZED = Condition(column="colour", values=("red",)), Condition(column="size", low=0.0)


def numbers(edges: Sequence[float]) -> NumberProfile:
    shares = [1 / (len(edges) + 1)] * (len(edges) + 1)
    return NumberProfile(edges=list(edges), shares=shares, missing=0.0, low=0.0, high=10.0, sample=[1.0, 2.0])


PROFILE = Profile(
    rows=100,
    numbers={"size": numbers([2.0, 5.0]), "secret": numbers([1.0]), "w_1": numbers([1.0])},
    categories={"colour": CategoryProfile(shares={"red": 0.5, "blue": 0.5}, missing=0.0)},
    score=numbers([0.5]),
    label_mean=0.5,
    loss_mean=0.5,
    loss_std=0.1,
    slices=tuple(
        SliceProfile(slice=Slice(name=name, conditions=conditions), rows=100, loss_mean=0.5, loss_std=0.1)
        for name, conditions in (("red", (RED,)), ("large_red", (RED, Condition(column="size", low=5.0))), ("sized", (SIZED,)))
    ),
)


class Profiles:
    """References of two bundles; all others can't be read."""

    def profile(self, digest: str) -> Profile | None:
        return PROFILE if digest in DIGESTS else None


def task_of(
    number: int = 0, *, partitions: int = 1, sample_rows: int = 20, most_open: int = 64, counts_cohorts: bool = True
) -> MeasuringTask:
    model = MeasuredModel("m", SCHEMA, "preds", "outs", "sums", "state", partitions, DAY)
    model = model._replace(counts_contents=True, counts_waits=True, counts_arrivals=True, counts_cohorts=counts_cohorts)
    config = MeasuringConfig(sample_rows=sample_rows, most_open=most_open)
    return MeasuringTask(number, model=model, config=config, profiles=Profiles(), telemetry=Telemetry(["m"]))


def prediction(
    offset: int, time_ms: int, *, size: float | None = 3.0, colour: str | None = "red", score: float = 0.25,
    digest: str = DIGESTS[0], flags: Sequence[str] = (), shadows: Sequence[ShadowScore] = (), partition: int = 0,
) -> Prediction:  # fmt: skip
    return Prediction(
        id=f"{partition}-{offset}", partition=partition, offset=offset, time_ms=START + time_ms,
        columns={"size": size, "colour": colour, "secret": 3.0, "note": "private"}, windows={"w_1": None if offset % 3 else 4.0},
        score=score, digest=digest, generation=1, flags=list(flags), shadows=list(shadows),
    )  # fmt: skip


def outcome(row: Prediction, label: float, known_ms: int, revision: int = 0) -> Outcome:
    return Outcome(prediction=row, label=label, known_ms=START + known_ms, label_partition=0, label_offset=0, revision=revision)


def log_of(topic: str, items: Sequence[Prediction | Outcome | int], partition: int = 0) -> list[Record]:
    """Records in order; an int is a watermark."""
    records = []
    for offset, item in enumerate(items):
        if isinstance(item, int):
            key, value, headers = watermark_record(str(partition), START + item)
            records.append(Record(topic, partition, offset, key, value, tuple(headers), 0))
        else:
            records.append(Record(topic, partition, offset, b"k", msgspec.json.encode(item), (), 0))
    return records


def give(task: MeasuringTask, records: Sequence[Record]) -> tuple[list[Summary], list[int]]:
    summaries, watermarks = [], []
    for output in asyncio.run(task.process(records, rebuilding=False)).outputs:
        assert (output.topic, output.partition) == ("sums", 0)
        watermark = read_watermark(output.key, output.headers)
        if watermark is not None:
            watermarks.append(watermark[1] - START)
        else:
            summaries.append(msgspec.json.decode(output.value or b"", type=Summary))
    return summaries, watermarks
