"""How long a caller waits, and what a swap costs him: `python -m tests.bench.serving_latency` (`make bench-latency`).

The model and the requests of `serving_throughput`. A request's wait begins when it is due, whether or not it could be sent then,
and ends when its committed prediction is read. What the plain exactly-once loop (`plain_loop`) needs on the same broker is
printed beside it. Ends with 1 while a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import gc
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
import uvloop
from aiokafka import AIOKafkaProducer
from rich.console import Console

from daemon.topics import make_topics
from streams.contracts.records import WorkerReport
from streams.contracts.topics import topic_name
from streams.runtime.watermark import read_watermark
from streams.settings import StreamsSettings
from streams.transport.follower import Follower
from streams.transport.publisher import Publisher
from tests.bench.serving_throughput import feature_values, ground, request, start
from tests.bench.worker import PARTITIONS, settings_of
from tests.kit.bundles import make_bundle
from tests.kit.serving import deploy
from tests.kit.topics import make_topics as make_plain_topics

SECONDS = 10.0
RATES = (100, 2_000)
# The broker's virtual machine compiles what it does often: in its first half minute of transactions that alone takes a core, and
# all waits are two or three times as long.
WARM_RATE, WARM_SECONDS = 500, 30.0
SWAPS = 100
SWAP_RATE = 500
PAUSE_SECONDS, AFTER_SECONDS = 1.0, 0.1
BUNDLES = 4
READY_SECONDS = 60.0

# (delivery, calls a second) to the milliseconds of the median and of the 99th percentile.
BARS = {
    ("at_least_once", 100): (5.0, 20.0),
    ("exactly_once", 100): (8.0, 40.0),
    ("exactly_once", 2_000): (20.0, 65.0),
}
SWAP_P99, SWAP_SECONDS = 1.2, 1.0

screen = Console(highlight=False, soft_wrap=True)


class Answer(msgspec.Struct):
    """What of an answer is looked at."""

    id: str
    generation: int = 0


class Caller:
    """Calls a model that a worker serves, and reads what it answers (in `answers`; its predictions unless given)."""

    def __init__(self, bootstrap: str, model: str, features: list[bytes], answers: str | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._model = model
        self._features = features
        self._producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=0)
        self._follower = Follower(bootstrap, [answers or topic_name("predictions", model), topic_name("workers")])
        self._called = 0
        self._decode = msgspec.json.Decoder(Answer).decode
        self.due: dict[str, float] = {}
        self.seen: dict[str, float] = {}
        self.counts: Counter[str] = Counter()
        self.reports: dict[int, WorkerReport] = {}
        self.firsts: dict[int, float] = {}
        self._looked = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._producer.start()
        await self._follower.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()
        await self._follower.stop()

    async def call(self, rate: float, seconds: float) -> list[str]:
        """Call evenly; return the ids. What is due while the loop is elsewhere is sent right after."""
        begin, sent, names = self._loop.time(), [], []
        for index in range(int(rate * seconds)):
            name, due = f"r{self._called}", begin + index / rate
            if (rest := due - self._loop.time()) > 0:
                await asyncio.sleep(rest)
            self.due[name] = due
            value = request(self._called, self._features)
            sent.append(
                await self._producer.send(
                    topic_name("requests", self._model), value, key=b"k%d" % self._called, partition=self._called % PARTITIONS
                )
            )
            self._called += 1
            names.append(name)
        await asyncio.gather(*sent)
        return names

    async def read(self) -> None:
        """Read answers and reports until cancelled."""
        while True:
            records = await self._follower.poll(100)
            self._note(records, self._loop.time())
            self._looked.set()
            self._looked = asyncio.Event()

    def _note(self, records: Any, now: float) -> None:
        for record in records:
            if record.topic == topic_name("workers"):
                report = msgspec.json.decode(record.value or b"", type=WorkerReport)
                if (report.stage, report.model) == ("serving", self._model):
                    self.reports[report.partition] = report
            elif not record.headers and read_watermark(record.key, record.headers) is None:
                answer = self._decode(record.value or b"")
                self.counts[answer.id] += 1
                self.seen.setdefault(answer.id, now)
                self.firsts.setdefault(answer.generation, now)

    async def until(self, names: list[str]) -> None:
        """Wait until all are answered."""
        await self.until_seen(lambda: all(name in self.seen for name in names))

    async def until_ready(self, digest: str) -> None:
        """Wait until every partition has a bundle loaded."""
        reports = self.reports
        await self.until_seen(lambda: len(reports) == PARTITIONS and all(digest in one.ready for one in reports.values()))

    async def until_seen(self, is_true: Callable[[], bool]) -> None:
        """Wait until something is true of what was read."""
        async with asyncio.timeout(READY_SECONDS):
            while not is_true():
                await self._looked.wait()

    def waits(self, names: list[str]) -> np.ndarray:
        """Milliseconds that these calls waited."""
        return np.array([1_000 * (self.seen[name] - self.due[name]) for name in names])


class Bench:
    """A broker, bundles, and a worker that serves."""

    def __init__(self, bootstrap: str, folder: Path, publisher: Publisher) -> None:
        self.bootstrap = bootstrap
        self.folder = folder
        self.publisher = publisher
        self.features = feature_values()

    @contextlib.asynccontextmanager
    async def serving(self, delivery: str) -> AsyncIterator[tuple[Caller, str, list[str]]]:
        """Serve a model of its own; gives a caller, the model's name and the digests of its bundles."""
        model = f"bench-{uuid.uuid4().hex[:6]}"
        settings = settings_of(model, self.folder, delivery)
        await make_topics(settings, self.bootstrap)
        digests = [await self._bundle(settings, seed) for seed in range(BUNDLES)]
        await deploy(self.publisher, model, 1, digests[0])
        child = await start(
            "tests.bench.worker", "serving", self.bootstrap, model, self.folder, "--goal", WARM_RATE, "--delivery", delivery
        )
        assert child.stdin is not None
        try:
            async with self._calling(Caller(self.bootstrap, model, self.features)) as caller:
                yield caller, model, digests
        finally:
            child.stdin.close()
            await child.wait()

    @contextlib.asynccontextmanager
    async def plain(self) -> AsyncIterator[Caller]:
        """Let the plain loop answer; gives a caller."""
        model, answers = (f"{kind}-{uuid.uuid4().hex[:6]}" for kind in ("bench", "plain"))
        settings = settings_of(model, self.folder)
        await make_topics(settings, self.bootstrap)
        await make_plain_topics(self.bootstrap, answers, partitions=PARTITIONS)
        file = settings.folder("registry") / model / await self._bundle(settings, 0) / "model.onnx"
        child = await start("tests.bench.plain_loop", self.bootstrap, topic_name("requests", model), answers, file, sys.maxsize)
        try:
            async with self._calling(Caller(self.bootstrap, model, self.features, answers)) as caller:
                yield caller
        finally:
            child.terminate()
            await child.wait()

    async def _bundle(self, settings: StreamsSettings, seed: int) -> str:
        served = settings.models[0]
        options = {"schema": served.schema_contract(), "expressions": (), "trees": 200, "depth": 6, "count": 20_000}
        return await asyncio.to_thread(make_bundle, settings.folder("registry"), model=served.name, seed=seed, **options)

    @contextlib.asynccontextmanager
    async def _calling(self, caller: Caller) -> AsyncIterator[Caller]:
        """Connect and warm up."""
        async with caller, asyncio.TaskGroup() as group:
            reading = group.create_task(caller.read())
            await caller.until(await caller.call(WARM_RATE, WARM_SECONDS))
            yield caller
            reading.cancel()


async def latency(bench: Bench) -> bool:
    """Print the waits by delivery and rate; true when every bar is held."""
    are_held = True
    for delivery in ("at_least_once", "exactly_once"):
        async with bench.serving(delivery) as (caller, _, _):
            for rate in RATES:
                waits = await _percentiles(caller, rate)
                bar = BARS.get((delivery, rate))
                held = bar is None or (waits[0] <= bar[0] and waits[2] <= bar[1])
                are_held &= held
                told = "" if bar is None else f"   bar {bar[0]:.0f}/{bar[1]:.0f}: {'held' if held else 'missed'}"
                _print(delivery, rate, waits, told)
    async with bench.plain() as caller:
        for rate in RATES:
            _print("plain loop", rate, await _percentiles(caller, rate))
    return are_held


async def _percentiles(caller: Caller, rate: int) -> np.ndarray:
    """Call for a while; return the median, the 95th and the 99th percentile of the waits in ms."""
    names = await caller.call(rate, SECONDS)
    await caller.until(names)
    return np.percentile(caller.waits(names), (50, 95, 99))


def _print(name: str, rate: int, waits: np.ndarray, told: str = "") -> None:
    screen.print(f"{name:14s} {rate:5d}/s   p50 {waits[0]:6.1f}   p95 {waits[1]:6.1f}   p99 {waits[2]:6.1f} ms{told}")


async def swaps(bench: Bench, count: int) -> bool:
    """Swap under load, print what it costs, what was lost and what doubled; true when every bar is held.

    Waits change from minute to minute by more than a swap adds, so those during swaps are compared with those of the pauses
    between them. A swap lasts from the order to load a bundle until shortly after its first prediction.
    """
    async with bench.serving("exactly_once") as (caller, model, digests):
        loop = asyncio.get_running_loop()
        took: list[float] = []
        spans: list[tuple[float, float]] = []

        async def swap() -> None:
            for number in range(count):
                # So many that none is still loaded when its turn comes again.
                new, old = digests[(number + 1) % BUNDLES], digests[number % BUNDLES]
                ordered = loop.time()
                await deploy(bench.publisher, model, 2 * number + 2, old, preparing=(new,))
                await caller.until_ready(new)
                begin, generation = loop.time(), 2 * number + 3
                await deploy(bench.publisher, model, generation, new)
                await caller.until_seen(functools.partial(caller.firsts.__contains__, generation))
                took.append(caller.firsts[generation] - begin)
                spans.append((ordered, caller.firsts[generation] + AFTER_SECONDS))
                await asyncio.sleep(PAUSE_SECONDS)

        async with asyncio.TaskGroup() as group:
            swapping = group.create_task(swap())
            names: list[str] = []
            while not swapping.done():
                names += await caller.call(SWAP_RATE, 1.0)
        await caller.until(names)
        lost, doubled = sum(caller.counts[name] == 0 for name in names), sum(caller.counts[name] > 1 for name in names)
        waits, due = caller.waits(names), np.array([caller.due[name] for name in names])
    begins, ends = np.array(spans).T
    # The last swap that began before a call was due had not ended yet.
    is_during = due < np.append(ends, -np.inf)[np.searchsorted(begins, due, side="right") - 1]
    p99 = [float(np.percentile(waits[which], 99)) for which in (~is_during, is_during)]
    ratio, longest = p99[1] / p99[0], max(took)
    screen.print(f"{count} swaps at {SWAP_RATE}/s: {lost} lost, {doubled} doubled of {len(names):,}")
    screen.print(
        f"   p99 {p99[0]:.1f} ms between, {p99[1]:.1f} ms during swaps ({is_during.sum():,} calls): "
        f"{ratio:.2f} times (at most {SWAP_P99})"
    )
    whole = float(np.median(ends - begins)) - AFTER_SECONDS
    screen.print(
        f"   first new prediction {np.median(took):.2f} s after activation, at most {longest:.2f} s (at most {SWAP_SECONDS}); "
        f"{whole:.2f} s after the order to load"
    )
    return ratio <= SWAP_P99 and longest <= SWAP_SECONDS and not lost and not doubled


async def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.serving_latency", description=__doc__)
    parser.add_argument("--bootstrap", help="a broker that runs; without it an embedded one is started")
    parser.add_argument("--swaps", type=int, default=SWAPS)
    given = parser.parse_args()
    # A collection of all that the caller holds takes 0.2 s, in which it neither calls nor reads.
    gc.disable()
    async with ground(given.bootstrap) as (folder, bootstrap, publisher):
        bench = Bench(bootstrap, folder, publisher)
        held = [await latency(bench), await swaps(bench, given.swaps)]
    return int(not all(held))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(main()))
