"""How long new windows take to get their past, and what that costs who is served meanwhile: `python -m tests.bench.backfill`.

A model answers a long backlog of requests as fast as it can, without windows; 1.2 million card payments and their labels lie in
its lake. Then a bundle with 16 windows of up to 30 days is deployed. Measured are the seconds until every partition has it ready,
and the rate of answers until then against that of a second model, equal but for the deployment, over the same seconds of its run:
rates fall by a tenth within a minute of full load by themselves. Both go by the broker's append times. Ends with 1 while a bar is
missed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import uuid
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import uvloop
from rich.console import Console

from daemon.topics import make_topics
from skills import import_history
from streams.contracts.records import WorkerReport
from streams.contracts.topics import topic_name
from streams.features.text import parse_window
from streams.runtime.clock import SystemClock
from streams.transport.follower import Follower, read_partition
from streams.transport.publisher import Publisher
from streams.transport.records import Output, Record
from tests.bench.serving_throughput import CHUNK, ground, start
from tests.bench.worker import FEATURES, KEYS, PARTITIONS, settings_of
from tests.kit import recorded
from tests.kit.bundles import make_bundle
from tests.kit.serving import deploy

LONGEST_SECONDS, LEAST_SHARE = 60.0, 0.8
REQUESTS = 4_800_000
WARM_SECONDS = 14.0
GIVE_UP_SECONDS = 170.0
WINDOWS = tuple(
    parse_window(f"{what} by {key} over {size}")
    for key, kinds in (("customer", ("count(requests)", "mean(f0)")), ("terminal", ("count(outcomes)", "mean(outcome.label)")))
    for size in ("1h", "1d", "7d", "30d")
    for what in kinds
)

screen = Console(highlight=False, soft_wrap=True)


class Spell(NamedTuple):
    """How many seconds something took, and how many answers a second there were."""

    seconds: float
    rate: float


def now() -> float:
    """Return seconds since the epoch."""
    return SystemClock().now().timestamp()


def keep_past(folder: Path, model: str) -> int:
    """Store the payments in the lake; return when the last of them was, in ms."""
    stream = recorded.fraud()
    rows = stream.requests.num_rows
    nothing = pa.nulls(rows, pa.float64())
    table = {"id": pa.array([f"{number:07d}" for number in range(rows)]), "time_ms": stream.requests.column("time_ms")}
    table |= {"f0": stream.requests.column("amount"), **dict.fromkeys(FEATURES[1:], nothing)}
    table |= {key: pa.array([f"{key[0]}{int(value)}" for value in stream.requests.column(key).to_pylist()]) for key in KEYS}
    table |= {"label": stream.outcomes.column("label"), "known_ms": stream.outcomes.column("known_ms")}
    pq.write_table(pa.table(table), folder / "past.parquet")
    settings = settings_of(model, folder, keys=KEYS)
    schema, lake = settings.models[0].schema_contract(), str(settings.folder("lake"))
    past = import_history.Input(lake=lake, model=model, schema=schema, table=str(folder / "past.parquet"), name="past")
    import_history.run(past, folder)
    return int(stream.requests.column("time_ms")[-1].as_py())


async def fill(publisher: Publisher, model: str, begin_ms: int) -> None:
    """Write the requests that are answered meanwhile."""
    rng = np.random.default_rng(0)
    numbers = [dict(zip(FEATURES, row, strict=True)) for row in rng.normal(size=(2_000, len(FEATURES))).tolist()]
    features = [
        msgspec.json.encode(row | {"customer": f"c{number}", "terminal": f"t{number}"}) for number, row in enumerate(numbers)
    ]
    for first in range(0, REQUESTS, CHUNK):
        outputs = []
        for number in range(first, first + CHUNK):
            value = b'{"id":"r%d","time_ms":%d,"features":%b}' % (number, begin_ms + number, features[number % 2_000])
            outputs.append(Output(topic_name("requests", model), number % PARTITIONS, b"k%d" % (number % 5_000), value))
        await publisher.send_many(outputs)


async def ready(bootstrap: str, model: str, digest: str) -> None:
    """Wait until every partition has loaded a bundle."""
    follower = Follower(bootstrap, [topic_name("workers")])
    reports: dict[int, WorkerReport] = {}

    def note(records: list[Record]) -> None:
        for record in records:
            report = msgspec.json.decode(record.value or b"", type=WorkerReport)
            if (report.model, report.stage) == (model, "serving"):
                reports[report.partition] = report

    note(await follower.start())
    while sum(digest in report.ready for report in reports.values()) < PARTITIONS:
        if refused := {why for report in reports.values() for why in report.refused.values()}:
            raise SystemExit(f"refused: {'; '.join(refused)}")
        note(await follower.poll(100))
    await follower.stop()


async def appended(bootstrap: str, topic: str) -> list[int]:
    """Return when each answer was appended, in ms."""
    times: list[int] = []
    for partition in range(PARTITIONS):
        records, _ = await read_partition(bootstrap, topic, partition, sys.maxsize)
        times += [record.timestamp_ms for record in records if not record.headers]
    return sorted(times)


async def served(folder: Path, bootstrap: str, publisher: Publisher, seconds: float | None) -> Spell:
    """Serve a model of its own at full load; after a while deploy windows, or else go on for so many seconds.

    Raises:
        SystemExit: the backlog was answered before the end.
    """
    model = f"backfill-{uuid.uuid4().hex[:6]}"
    settings = settings_of(model, folder, keys=KEYS)
    await make_topics(settings, bootstrap)
    end_ms = await asyncio.to_thread(keep_past, folder, model)
    options = {"schema": settings.models[0].schema_contract(), "expressions": (), "trees": 200, "depth": 6, "count": 20_000}
    registry, skew_ms = settings.folder("registry"), settings.models[0].skew.ms
    plain = await asyncio.to_thread(make_bundle, registry, model=model, **options)
    windowed = await asyncio.to_thread(make_bundle, registry, model=model, seed=1, windows=WINDOWS, skew_ms=skew_ms, **options)
    await deploy(publisher, model, 1, plain)
    await fill(publisher, model, end_ms)
    child = await start("tests.bench.worker", "serving", bootstrap, model, folder, "--goal", REQUESTS, "--keys")
    try:
        async with asyncio.timeout(GIVE_UP_SECONDS):
            await ready(bootstrap, model, plain)
            await asyncio.sleep(WARM_SECONDS)
            began = now()
            if seconds is None:
                await deploy(publisher, model, 2, plain, preparing=(windowed,))
                await ready(bootstrap, model, windowed)
            else:
                await asyncio.sleep(seconds)
            ended = now()
    finally:
        child.kill()
        await child.wait()
    times = np.array(await appended(bootstrap, topic_name("predictions", model)))
    if times[-1] < 1e3 * ended - 1_000:
        raise SystemExit("the backlog was answered before that, so nothing can be said of serving: take more requests")
    count = int(((times >= 1e3 * began) & (times < 1e3 * ended)).sum())
    return Spell(ended - began, count / (ended - began))


async def main() -> int:
    """Run from the command line."""
    argparse.ArgumentParser(prog="python -m tests.bench.backfill", description=__doc__).parse_args()
    if not recorded.DATA.is_dir():
        screen.print("the card payments aren't beside the checkout: no backfill is measured")
        return 0
    async with ground(None) as (folder, bootstrap, publisher):
        beside = await served(folder, bootstrap, publisher, None)
        screen.print(
            f"{len(WINDOWS)} windows of up to 30 days were ready after {beside.seconds:.1f} s (below {LONGEST_SECONDS:.0f})"
        )
        alone = await served(folder, bootstrap, publisher, beside.seconds)
    share = beside.rate / alone.rate
    screen.print(
        f"answered meanwhile {beside.rate:,.0f}/s, without {alone.rate:,.0f}/s: {share:.2f} of it (at least {LEAST_SHARE})"
    )
    return int(beside.seconds >= LONGEST_SECONDS or share < LEAST_SHARE)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(main()))
