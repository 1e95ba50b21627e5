"""Rows per second of the serving stage, exactly once, on a real broker: `python -m tests.bench.serving_throughput [BOOTSTRAP]`.

20 numeric columns, 200 trees of depth 6, four partitions, as in the comparison with per-event Faust. Without BOOTSTRAP an
embedded broker is started. What is timed is all of it: fetch, decode, score, encode, transactions.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
import uuid
from pathlib import Path

import numpy as np
import uvloop
from rich.console import Console

from streams.contracts.schema import Column, ModelSchema
from streams.contracts.topics import TABLE, topic_name
from streams.dialects import native
from streams.inference.store import BundleStore
from streams.runtime.clock import SystemClock
from streams.runtime.telemetry import Telemetry
from streams.serving.config import ServedModel
from streams.serving.history import no_history
from streams.serving.stage import ServingStage
from streams.transport.admin import ensure_topics
from streams.transport.broker import EmbeddedBroker
from streams.transport.publisher import Publisher
from streams.transport.records import Output
from tests.kit.bundles import START_MS, make_bundle
from tests.kit.serving import deploy

ROWS = 300_000
PARTITIONS = 4
SCHEMA = ModelSchema(columns=tuple(Column(name=f"f{index}", kind="number") for index in range(20)))


async def fill(publisher: Publisher, topic: str) -> None:
    """Write the requests, 2,000 different ones over and over."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2_000, len(SCHEMA.columns))).astype(np.float32)
    values = [
        native.example(str(i), START_MS + i, {column.name: float(v) for column, v in zip(SCHEMA.columns, row, strict=True)})
        for i, row in enumerate(rows)
    ]
    for begin in range(0, ROWS, 20_000):
        chunk = range(begin, min(begin + 20_000, ROWS))
        await publisher.send_many([Output(topic, i % PARTITIONS, b"%d" % (i % 5_000), values[i % 2_000]) for i in chunk])


async def measure(bootstrap: str, folder: Path) -> float:
    """Serve everything once; return rows per second from the first micro-batch to the last commit."""
    model = f"bench-{uuid.uuid4().hex[:6]}"
    names = {kind: topic_name(kind, model) for kind in ("requests", "predictions", "outcomes")}
    state = topic_name("state", model, "serving")
    kinds = {names[kind]: TABLE[kind] for kind in names} | {state: TABLE["state"]}
    shared = {topic_name(kind): TABLE[kind] for kind in ("deployments", "workers", "quarantine")}
    await ensure_topics(bootstrap, {**kinds, **shared}, PARTITIONS)
    digest = make_bundle(folder / "registry", model=model, schema=SCHEMA, expressions=(), trees=200, depth=6)
    publisher = Publisher(bootstrap)
    await fill(publisher, names["requests"])
    served = ServedModel(name=model, schema=SCHEMA, **names, state=state, partitions=PARTITIONS, skew_ms=0, lateness_ms=0)
    stage = ServingStage(
        served,
        bootstrap=bootstrap,
        store=BundleStore(folder / "registry"),
        history=no_history,
        telemetry=Telemetry([model]),
        clock=SystemClock(),
        epoch="bench",
    )
    await stage.start()
    await deploy(publisher, model, 1, digest)
    first, began = await _until(stage, 1)
    last, ended = await _until(stage, ROWS)
    rate = (last - first) / (ended - began)
    await stage.stop()
    await publisher.stop()
    return rate


async def _until(stage: ServingStage, rows: int) -> tuple[int, float]:
    """Return how many rows were committed, and when, as soon as there are at least this many."""
    while True:
        done = sum(counters.records for counters in stage.runner.counters.values())
        if done >= rows:
            return done, time.perf_counter()
        await asyncio.sleep(0.005)


async def main() -> None:
    """Measure and print one line."""
    with tempfile.TemporaryDirectory() as folder:
        if len(sys.argv) > 1:
            rate = await measure(sys.argv[1], Path(folder))
        else:
            async with EmbeddedBroker(Path(folder) / "broker") as broker:
                rate = await measure(broker.bootstrap, Path(folder))
    Console().print(f"serving stage, exactly once  {rate:10,.0f}/s")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
