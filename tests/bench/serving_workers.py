"""What a second worker brings: `python -m tests.bench.serving_workers`.

The requests of `serving_throughput`, all of them in the log before anybody answers: the first champion is deployed when every
worker has its share. Its model has more trees, so that the broker isn't the limit; what the broker takes is printed beside it.
With `--pin` each worker has a core of its own, and the broker what is left of them all; without, one worker's scoring threads
already use the cores of a second one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil
import uvloop
from rich.console import Console

from daemon.topics import make_topics
from streams.contracts.records import WorkerReport
from streams.contracts.topics import topic_name
from streams.transport.follower import Follower
from tests.bench.serving_throughput import Answers, Bench, feature_values, fill, ground, read_answers, request, start
from tests.bench.worker import PARTITIONS, settings_of
from tests.kit.bundles import make_bundle
from tests.kit.serving import deploy

RATIO = 1.5
READY_SECONDS = 60.0

screen = Console(highlight=False, soft_wrap=True)


async def until_shared(bootstrap: str, model: str, workers: int) -> None:
    """Wait until so many workers have told of their partitions."""
    follower = Follower(bootstrap, [topic_name("workers")])
    records = await follower.start()
    epochs: dict[int, str] = {}
    try:
        async with asyncio.timeout(READY_SECONDS):
            while len(epochs) < PARTITIONS or len(set(epochs.values())) < workers:
                for record in records:
                    report = msgspec.json.decode(record.value or b"", type=WorkerReport)
                    if (report.stage, report.model) == ("serving", model):
                        epochs[report.partition] = report.epoch
                records = await follower.poll(100)
    finally:
        await follower.stop()


class Spent(NamedTuple):
    """Microseconds of processor a record."""

    workers: float
    broker: float


async def measure(bench: Bench, workers: int, *, trees: int, is_pinned: bool) -> tuple[float, Spent]:
    """Let so many workers answer all requests; return records a second and what that took."""
    settings = settings_of(bench.model, bench.folder)
    await make_topics(settings, bench.bootstrap)
    options = {"schema": settings.models[0].schema_contract(), "expressions": (), "trees": trees, "depth": 6, "count": 20_000}
    digest = await asyncio.to_thread(make_bundle, settings.folder("registry"), model=bench.model, **options)
    features = feature_values()
    await fill(bench, topic_name("requests", bench.model), [request(number, features) for number in range(bench.requests)])
    arguments = ("serving", bench.bootstrap, bench.model, bench.folder, "--goal", bench.requests)
    children = [await start("tests.bench.worker", *arguments, "--name", f"w{number}") for number in range(workers)]
    try:
        if is_pinned:
            for number, child in enumerate(children):
                _pin(child.pid, number)
        await until_shared(bench.bootstrap, bench.model, workers)
        processes = [psutil.Process(child.pid) for child in children]
        brokers = [child for child in psutil.Process().children(recursive=True) if "java" in child.name()]
        before = _seconds(processes), _seconds(brokers)
        await deploy(bench.publisher, bench.model, 1, digest)
        answers = await _all_answers(bench)
        took = _seconds(processes) - before[0], _seconds(brokers) - before[1]
    finally:
        for child in children:
            assert child.stdin is not None
            child.stdin.close()
            await child.wait()
    return answers.rate, Spent(*(1e6 * seconds / bench.requests for seconds in took))


def _pin(process: int, core: int) -> None:
    """Give a process one core: every thread it has, and with that all that they start."""
    for thread in Path(f"/proc/{process}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def _seconds(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


async def _all_answers(bench: Bench) -> Answers:
    topic = topic_name("predictions", bench.model)
    follower = Follower(bench.bootstrap, [topic])
    found = len([record for record in await follower.start() if not record.headers])
    while found < bench.requests:
        found += len([record for record in await follower.poll(500) if not record.headers])
    await follower.stop()
    answers = await read_answers(bench.bootstrap, topic)
    if sorted(answers.ids) != sorted(f"r{number}" for number in range(bench.requests)):
        raise SystemExit(f"{len(answers.ids)} answers, {len(set(answers.ids))} different, to {bench.requests} requests")
    return answers


async def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.serving_workers", description=__doc__)
    parser.add_argument("--requests", type=int, default=300_000)
    parser.add_argument("--trees", type=int, default=1_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pin", action="store_true", help="give each worker one core")
    given = parser.parse_args()
    rates = []
    async with ground(None) as (folder, bootstrap, publisher):
        for workers in (1, given.workers, 1):
            bench = Bench(bootstrap, f"bench-{uuid.uuid4().hex[:6]}", folder, given.requests, publisher, None)
            rate, spent = await measure(bench, workers, trees=given.trees, is_pinned=given.pin)
            rates.append(rate)
            told = f"processor a record: workers {spent.workers:.1f} us, broker {spent.broker:.1f} us"
            screen.print(f"{workers} worker(s)   {rate:10,.0f}/s   {told}")
    ratio = rates[1] / ((rates[0] + rates[2]) / 2)
    screen.print(f"ratio {ratio:.2f} (at least {RATIO} where the broker isn't the limit)")
    return int(ratio < RATIO)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(main()))
