"""How fast predictions and outcomes are summed up, on one core: `python -m tests.bench.measuring`.

A model of 20 features and five declared slices. Beside it stands the plain way in the same run, because machines are now fast,
now slow: each record decoded into dictionaries, each column counted on its bins row by row. Then how large the state of a bucket
is, how fast a month of hourly buckets of 100 features is merged and judged, and whether memory stays flat over ten million
records. Seconds are of the processor. Ends with 1 while a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import gc
import json
import math
import resource
import time
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from rich.console import Console

from streams.contracts.bundle import CategoryProfile, Golden, Manifest, NumberProfile, Profile, SliceProfile
from streams.contracts.records import Outcome, Prediction
from streams.contracts.schema import Column, ModelSchema
from streams.contracts.slices import Condition, Slice
from streams.contracts.summaries import CategoryCounts, InputSummary, LossSummary, NumberCounts, Summary
from streams.measuring.config import MeasuredModel, MeasuringConfig
from streams.measuring.task import MeasuringTask
from streams.monitoring.buckets import Buckets
from streams.monitoring.config import MonitoredModel, MonitoringConfig
from streams.monitoring.watching import Reference, Watcher
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import read_watermark, watermark_record
from streams.transport.records import Record
from tests.bench.bars import Bar, show

OUTCOMES_PER_SECOND = 50_000.0
STATE_BYTES = 4_096.0
MONTH_SECONDS = 2.0
GROWTH_MB = 64.0
NUMBERS, CATEGORIES, VALUES = 16, 4, 10
HOUR_MS = 3_600_000
START_MS = 1_699_920_000_000
DIGEST = "a" * 64
BATCH = 4_096
MONTH_BUCKETS = 720

screen = Console(highlight=False, soft_wrap=True)


class Profiles:
    """One bundle's reference for all digests."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    def profile(self, digest: str) -> Profile | None:
        """Return it."""
        del digest
        return self._profile


def number_profile() -> NumberProfile:
    """Twenty bins of a standard normal number."""
    return NumberProfile(
        edges=np.linspace(-1.6, 1.6, 19).tolist(), shares=[0.05] * 20, missing=0.0, low=-6.0, high=6.0, sample=[]
    )


def world(numbers: int, categories: int) -> tuple[ModelSchema, Profile]:
    """Return a model's schema and its profile, with five slices where it has categories."""
    names, kinds = [f"x{i}" for i in range(numbers)], [f"c{i}" for i in range(categories)]
    columns = [Column(name=name, kind="number") for name in names] + [Column(name=name, kind="category") for name in kinds]
    conditions = [
        (Condition(column="c0", values=("v1",)),),
        (Condition(column="c0", values=("v2", "v3")), Condition(column="x0", low=0.0)),
        (Condition(column="c1", values=("v4",)),),
        (Condition(column="x1", high=-0.5),),
        (Condition(column="x2", low=-0.5, high=0.5), Condition(column="c2", values=("v5", "v6", "v7"))),
    ]
    slices = [Slice(name=f"s{i}", conditions=one) for i, one in enumerate(conditions)] if categories else []
    profile = Profile(
        rows=100_000,
        later_rows=15_000,
        numbers={name: number_profile() for name in names},
        categories={name: CategoryProfile(shares={f"v{i}": 1 / VALUES for i in range(VALUES)}, missing=0.0) for name in kinds},
        score=NumberProfile(
            edges=np.linspace(0.05, 0.95, 19).tolist(), shares=[0.05] * 20, missing=0.0, low=0.0, high=1.0, sample=[]
        ),
        label_mean=0.5,
        loss_mean=0.5,
        loss_std=0.5,
        slices=tuple(SliceProfile(slice=one, rows=3_000, loss_mean=0.5, loss_std=0.5) for one in slices),
    )
    return ModelSchema(columns=tuple(columns)), profile


def values_of(rows: int) -> tuple[list[bytes], list[bytes]]:
    """Encode predictions and their outcomes, ten rows a second."""
    rng = np.random.default_rng(0)
    numbers, kinds = np.round(rng.normal(size=(rows, NUMBERS)), 4).tolist(), rng.integers(0, VALUES, (rows, CATEGORIES)).tolist()
    scores = np.round(rng.uniform(size=rows), 6)
    labels = (rng.uniform(size=rows) < scores).astype(float).tolist()
    predictions, outcomes = [], []
    for row, (of_numbers, of_kinds, score, label) in enumerate(zip(numbers, kinds, scores.tolist(), labels, strict=True)):
        columns: dict[str, float | str | None] = {f"x{i}": value for i, value in enumerate(of_numbers)}
        columns |= {f"c{i}": f"v{value}" for i, value in enumerate(of_kinds)}
        at_ms = START_MS + row * 100
        one = Prediction(
            id=str(row), partition=0, offset=row, time_ms=at_ms, columns=columns, score=score, digest=DIGEST, generation=1
        )  # fmt: skip
        known = Outcome(prediction=one, label=label, known_ms=at_ms + 50, label_partition=0, label_offset=row)
        predictions.append(msgspec.json.encode(one))
        outcomes.append(msgspec.json.encode(known))
    return predictions, outcomes


def task_of(schema: ModelSchema, profile: Profile) -> MeasuringTask:
    """Open the task of one partition that has hourly buckets."""
    model = MeasuredModel("m", schema, "preds", "outs", "sums", "state", 1, HOUR_MS)
    return MeasuringTask(0, model=model, config=MeasuringConfig(), profiles=Profiles(profile), telemetry=Telemetry(["m"]))


def batches(topic: str, values: Sequence[bytes], first: int = 0) -> Iterator[list[Record]]:
    """Give the records of a topic as they are polled."""
    for begin in range(0, len(values), BATCH):
        part = values[begin : begin + BATCH]
        yield [Record(topic, 0, first + begin + i, b"k", value, (), 0) for i, value in enumerate(part)]


def rate(task: MeasuringTask, topic: str, values: Sequence[bytes]) -> float:
    """Return rows a second of the processor."""
    polled = list(batches(topic, values))

    async def fold() -> None:
        for records in polled:
            await task.process(records, rebuilding=False)

    begin = time.process_time()
    asyncio.run(fold())
    return len(values) / (time.process_time() - begin)


def plain_rate(values: Sequence[bytes], profile: Profile) -> float:
    """Count the same of predictions row by row, from dictionaries: bins, missing, beyond the range, categories, unseen."""
    bins = {name: [0] * (len(one.edges) + 4) for name, one in {**profile.numbers, "score": profile.score}.items()}
    kinds: dict[str, Counter[str | None]] = {name: Counter() for name in profile.categories}
    begin = time.process_time()
    for line in values:
        row = json.loads(line)
        columns = row["columns"]
        for name, one in profile.numbers.items():
            _count(one, bins[name], columns.get(name))
        _count(profile.score, bins["score"], row["score"])
        for name, counts in kinds.items():
            value = columns.get(name)
            counts[value if value in profile.categories[name].shares else None] += 1
    return len(values) / (time.process_time() - begin)


def _count(one: NumberProfile, counted: list[int], value: float | None) -> None:
    if value is None or math.isnan(value):
        counted[-3] += 1
        return
    counted[bisect.bisect_right(one.edges, value)] += 1
    counted[-2] += value < one.low
    counted[-1] += value > one.high


def rates(rows: int) -> list[Bar]:
    """Measure both inputs, and how large what leaves is."""
    schema, profile = world(NUMBERS, CATEGORIES)
    predictions, outcomes = values_of(rows)
    plain = max(plain_rate(predictions[: rows // 4], profile) for _ in range(3))
    requests = max(rate(task_of(schema, profile), "preds", predictions) for _ in range(3))
    known = max(rate(task_of(schema, profile), "outs", outcomes) for _ in range(3))
    note = f"{requests / plain:.1f} times the plain way, predictions"
    return [
        Bar("predictions, 20 features", requests, OUTCOMES_PER_SECOND, "rows/s", note),
        Bar("outcomes, 20 features and 5 slices", known, OUTCOMES_PER_SECOND, "rows/s"),
        state_of(schema, profile, predictions, outcomes),
    ]


def state_of(schema: ModelSchema, profile: Profile, predictions: Sequence[bytes], outcomes: Sequence[bytes]) -> Bar:
    """Measure how many bytes a bucket is, without its capped sample, for each feature."""
    task = task_of(schema, profile)
    polled = [*batches("preds", predictions[:30_000]), *batches("outs", outcomes[:30_000])]
    end = [Record(topic, 0, 30_000, *_watermark(START_MS + HOUR_MS), 0) for topic in ("preds", "outs")]

    async def fold() -> list[Summary]:
        found: list[Summary] = []
        for records in [*polled, end]:
            result = await task.process(records, rebuilding=False)
            said = [one.value or b"" for one in result.outputs if read_watermark(one.key, one.headers) is None]
            found += [msgspec.json.decode(one, type=Summary) for one in said]
        return found

    summaries = asyncio.run(fold())
    assert {type(one) for one in summaries} == {InputSummary, LossSummary}
    for one in summaries:
        if isinstance(one, InputSummary):
            one.sample = []
    size = sum(len(msgspec.json.encode(one)) for one in summaries) / (NUMBERS + CATEGORIES)
    return Bar("a bucket's state, a feature", size, STATE_BYTES, "bytes")


def _watermark(time_ms: int) -> tuple[bytes, bytes, tuple[tuple[str, bytes], ...]]:
    key, value, headers = watermark_record("0", time_ms)
    return key, value, tuple(headers)


def month() -> Bar:
    """Merge and judge a month of hourly buckets of 100 features, each of two partitions."""
    schema, profile = world(80, 20)
    rng = np.random.default_rng(1)
    model = MonitoredModel("m", "binary", "s", "state", "events", 2, HOUR_MS)
    manifest = Manifest(model="m", schema=schema, golden=Golden(columns=[], windows=[], time_ms=[], scores=[]))
    watcher = Watcher(model, MonitoringConfig(), lambda digest: Reference(manifest, profile))
    waiting = Buckets(100_000)
    for hour in range(MONTH_BUCKETS):
        for partition in range(2):
            waiting.add(_inputs(profile, hour, partition, rng))
    begin = time.process_time()
    for bucket in waiting.due(START_MS + MONTH_BUCKETS * HOUR_MS):
        watcher.look(bucket)
    took = time.process_time() - begin
    watcher.close()
    return Bar("a month of hours of 100 features, merged and judged", took, MONTH_SECONDS, "s")


def _inputs(profile: Profile, hour: int, partition: int, rng: np.random.Generator) -> InputSummary:
    bins = rng.multinomial(50, [0.05] * 20, len(profile.numbers) + 1).tolist()
    kinds = rng.multinomial(50, [1 / VALUES] * VALUES, len(profile.categories)).tolist()
    start_ms = START_MS + hour * HOUR_MS
    return InputSummary(
        model="m", digest=DIGEST, partition=partition, bucket_start_ms=start_ms, bucket_end_ms=start_ms + HOUR_MS, rows=50,
        numbers={name: NumberCounts(bins=one) for name, one in zip(profile.numbers, bins, strict=False)},
        categories={
            name: CategoryCounts(counts=dict(zip(profile.categories[name].shares, one, strict=True)))
            for name, one in zip(profile.categories, kinds, strict=True)
        },
        score=NumberCounts(bins=bins[-1]),
    )  # fmt: skip


def memory(records: int) -> Bar:
    """Pass many records through one task and see by how much the process has grown since a tenth of them."""
    schema, profile = world(NUMBERS, CATEGORIES)
    task, (predictions, _) = task_of(schema, profile), values_of(36_000)
    hour, seen, early = len(predictions), 0, 0.0

    async def fold() -> None:
        nonlocal seen, early
        while seen < records:
            shift = seen // hour * HOUR_MS
            for polled in batches("preds", _later(predictions, shift), seen):
                await task.process(polled, rebuilding=False)
            seen += hour
            end = START_MS + shift + HOUR_MS
            await task.process([Record(topic, 0, seen, *_watermark(end), 0) for topic in ("preds", "outs")], rebuilding=False)
            if early == 0 and seen >= records // 10:
                gc.collect()
                early = _peak_mb()

    asyncio.run(fold())
    return Bar(f"growth over {records:,} records", _peak_mb() - early, GROWTH_MB, "MB")


def _later(values: Sequence[bytes], shift_ms: int) -> list[bytes]:
    """Return the same predictions some hours later."""
    found = []
    for value in values:
        head, _, tail = value.partition(b'"time_ms":')
        digits, _, rest = tail.partition(b",")
        found.append(head + b'"time_ms":' + str(int(digits) + shift_ms).encode() + b"," + rest)
    return found


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.measuring", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--records", type=int, default=10_000_000, help="passed through for the memory; 0 leaves it out")
    options = parser.parse_args()
    bars = [*rates(options.rows), month()]
    if options.records:
        bars.append(memory(options.records))
    return show(bars, screen)


if __name__ == "__main__":
    raise SystemExit(main())
