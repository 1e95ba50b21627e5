"""How fast driftwake serves, against others on the same broker: `python -m tests.bench.serving_throughput`.

20 numeric columns, 200 trees of depth 6, four partitions. Served is everything: validation, the whole prediction record with
every column, quarantine, metrics, exactly once. Rates are read from the log: the broker's append times of the middle half of the
answers, after every request was seen to be answered exactly once. The others are per-event Faust (`naive_faust.py`) and a plain
loop (`plain_loop.py`), exactly once too, which writes four fields an answer and checks nothing; driftwake is measured once more
with those four. Ends with 1 while a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import uvloop
from rich.console import Console

from daemon.topics import make_topics
from streams.contracts.records import Label
from streams.contracts.topics import topic_name
from streams.runtime.watermark import read_watermark
from streams.transport.broker import EmbeddedBroker
from streams.transport.follower import Follower, read_partition
from streams.transport.publisher import Publisher
from streams.transport.records import Output, Record, position_key
from tests.bench.worker import FEATURES, PARTITIONS, settings_of
from tests.kit.bundles import START_MS, make_bundle
from tests.kit.serving import deploy
from tests.kit.topics import make_topics as make_plain_topics

# At least so many times per-event Faust, the plain loop, and the plain loop when driftwake writes as little as it.
FAUST, PLAIN, BRIEF = 30.0, 0.9, 1.2
CHUNK = 20_000
LEAST_REQUESTS = 100_000
TURNS = 3
CALLS = 500
CALL_SECONDS = 0.01
LONGEST_SECONDS = 170.0

screen = Console(highlight=False, soft_wrap=True)


class Bench(NamedTuple):
    """What is measured, and where."""

    bootstrap: str
    model: str
    folder: Path
    requests: int
    publisher: Publisher
    profile: Path | None


class Answered(msgspec.Struct):
    """What of an answer says which request it is for."""

    id: str


class Answers(NamedTuple):
    """What a topic of answers holds."""

    ids: list[str]
    rate: float
    ends: dict[str, int]


def request(number: int, features: Sequence[bytes], time_ms: int | None = None) -> bytes:
    """Write a request of about 540 bytes in the native dialect."""
    when = START_MS + 100 * number if time_ms is None else time_ms
    return b'{"id":"r%d","time_ms":%d,"features":%b}' % (number, when, features[number % len(features)])


def feature_values() -> list[bytes]:
    """Make 2,000 different rows."""
    table = np.random.default_rng(0).normal(size=(2_000, len(FEATURES))).astype(np.float32).tolist()
    return [msgspec.json.encode(dict(zip(FEATURES, row, strict=True))) for row in table]


async def fill(bench: Bench, topic: str, values: Sequence[bytes]) -> None:
    """Write values over all partitions in turn."""
    for begin in range(0, len(values), CHUNK):
        part = values[begin : begin + CHUNK]
        outputs = [
            Output(topic, number % PARTITIONS, b"k%d" % (number % 5_000), value) for number, value in enumerate(part, begin)
        ]
        await bench.publisher.send_many(outputs)


async def read_answers(bootstrap: str, topic: str) -> Answers:
    """Read every committed answer, and how fast the broker got them."""
    decode = msgspec.json.Decoder(Answered).decode
    ids: list[str] = []
    times: list[int] = []
    ends: dict[str, int] = {}
    for partition in range(PARTITIONS):
        records, _ = await read_partition(bootstrap, topic, partition, sys.maxsize)
        ends[position_key(topic, partition)] = records[-1].offset + 1 if records else 0
        for record in records:
            if not record.headers:
                ids.append(decode(record.value or b"").id)
                times.append(record.timestamp_ms)
    # The first batches of all partitions were made before the first of them was written, and in the end not all have work.
    times.sort()
    quarter = len(times) // 4
    middle = times[quarter : len(times) - quarter]
    return Answers(ids, 1_000 * len(middle) / max(middle[-1] - middle[0], 1), ends)


async def start(module: str, *arguments: object) -> asyncio.subprocess.Process:
    """Start a child."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)


@contextlib.asynccontextmanager
async def working(bench: Bench, stage: str, goal: int, *options: str) -> AsyncIterator[dict[str, Any]]:
    """Run a stage in a child until its goal, give what it measured, and stop it at the end."""
    profile = ["--profile", bench.profile.with_suffix(f".{stage}")] if bench.profile else []
    child = await start(
        "tests.bench.worker", stage, bench.bootstrap, bench.model, bench.folder, "--goal", goal, *profile, *options
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            # Faust's own worker hides the cursor first, on a line of its own.
            while not (line := await child.stdout.readline()).startswith(b"{"):
                if not line:
                    raise SystemExit(f"{stage} ended early")
        yield json.loads(line)
    finally:
        child.stdin.close()
        await child.wait()


async def naive(bench: Bench, digest: str, events: int) -> float:
    """Let per-event Faust answer some of the requests; return records a second."""
    return await _other(bench, "tests.bench.naive_faust", digest, events, bench.folder / "faust")


async def plain(bench: Bench, digest: str) -> float:
    """Let the plain loop answer all requests; return records a second."""
    return await _other(bench, "tests.bench.plain_loop", digest, bench.requests)


async def _other(bench: Bench, module: str, digest: str, count: int, *more: object) -> float:
    topic = f"other-{uuid.uuid4().hex[:6]}"
    await make_plain_topics(bench.bootstrap, topic, partitions=PARTITIONS)
    model = settings_of(bench.model, bench.folder).folder("registry") / bench.model / digest / "model.onnx"
    child = await start(module, bench.bootstrap, topic_name("requests", bench.model), topic, model, count, *more)
    async with asyncio.timeout(LONGEST_SECONDS):
        await child.communicate()
    answers = await read_answers(bench.bootstrap, topic)
    if len(answers.ids) < count:
        raise SystemExit(f"{module} answered only {len(answers.ids)} of {count}")
    return answers.rate


async def latencies(bench: Bench, features: Sequence[bytes], ends: Mapping[str, int]) -> list[float]:
    """Call 100 times a second; return milliseconds from the moment each call was due to its committed prediction."""
    requests, predictions = (topic_name(kind, bench.model) for kind in ("requests", "predictions"))
    loop = asyncio.get_running_loop()
    follower = Follower(bench.bootstrap, [predictions], start=ends)
    await follower.start()
    due: dict[str, float] = {}
    waits: list[float] = []

    async def call() -> None:
        begin = loop.time()
        for index in range(CALLS):
            number = bench.requests + index
            due[f"r{number}"] = begin + index * CALL_SECONDS
            await asyncio.sleep(due[f"r{number}"] - loop.time())
            await bench.publisher.send(Output(requests, number % PARTITIONS, b"k", request(number, features)))

    async with asyncio.timeout(LONGEST_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(call())
        while len(waits) < CALLS:
            records = await follower.poll(100)
            now = loop.time()
            waits += [1_000 * (now - due[name]) for name in map(_answered, records) if name in due]
    await follower.stop()
    return waits


def _answered(record: Record) -> str:
    is_row = read_watermark(record.key, record.headers) is None and not record.headers
    return msgspec.json.decode(record.value or b"", type=Answered).id if is_row else ""


async def serve(bench: Bench, features: Sequence[bytes]) -> float:
    """Serve every request; return records a second."""
    async with working(bench, "serving", bench.requests) as said:
        answers = await read_answers(bench.bootstrap, topic_name("predictions", bench.model))
        if sorted(answers.ids) != sorted(f"r{number}" for number in range(bench.requests)):
            raise SystemExit(f"{len(answers.ids)} answers, {len(set(answers.ids))} different, to {bench.requests} requests")
        waits = np.percentile(await latencies(bench, features, answers.ends), (50, 99))
    screen.print(
        f"{said['cpu_us']:.1f} us of processor a record, peak {said['peak_mib']:.0f} MiB, "
        f"at 100/s p50 {waits[0]:.1f} ms, p99 {waits[1]:.1f} ms"
    )
    return answers.rate


async def serve_brief(bench: Bench) -> float:
    """Serve every request with four fields an answer; return records a second."""
    async with working(bench, "serving", bench.requests, "--brief"):
        answers = await read_answers(bench.bootstrap, topic_name("predictions", bench.model))
    if len(set(answers.ids)) != bench.requests:
        raise SystemExit(f"{len(set(answers.ids))} different answers to {bench.requests} requests")
    return answers.rate


async def others(bench: Bench) -> None:
    """Measure the stages behind serving, each alone, on what serving has written."""
    labels = [
        msgspec.json.encode(Label(f"r{number}", float(number % 2), START_MS + 100 * number)) for number in range(bench.requests)
    ]
    await fill(bench, topic_name("labels", bench.model), labels)
    for stage in ("joining", "measuring", "archiving"):
        async with working(bench, stage, 2 * bench.requests) as said:
            screen.print(
                f"{stage:30s} {said['rate']:10,.0f}/s   {said['cpu_us']:.1f} us of processor a record, "
                f"peak {said['peak_mib']:.0f} MiB, {said['rows']:,} records in"
            )


async def prepare(bench: Bench) -> tuple[str, list[bytes]]:
    """Make the model, its topics and its requests; return the bundle's digest and the rows."""
    settings = settings_of(bench.model, bench.folder)
    await make_topics(settings, bench.bootstrap)
    options = {"schema": settings.models[0].schema_contract(), "expressions": (), "trees": 200, "depth": 6, "count": 20_000}
    digest = await asyncio.to_thread(make_bundle, settings.folder("registry"), model=bench.model, **options)
    await deploy(bench.publisher, bench.model, 1, digest)
    features = feature_values()
    await fill(bench, topic_name("requests", bench.model), [request(number, features) for number in range(bench.requests)])
    return digest, features


async def measure(bench: Bench, events: int, *, is_all: bool) -> bool:
    """Prepare, measure everything, and print; true when every bar is held."""
    fausts, plains, wholes, fews = [], [], [], []
    # In turns, because the machine has other work and is now fast, now slow: a ratio then compares neighbours.
    for turn in range(TURNS):
        served, again = (bench._replace(model=f"{bench.model}{name}") for name in (f"-{turn}" if turn else "", f"-{turn}-brief"))
        digest, features = await prepare(served)
        await prepare(again)
        fausts.append(await naive(served, digest, events // TURNS))
        plains.append(await plain(served, digest))
        wholes.append(await serve(served, features))
        plains.append(await plain(served, digest))
        fews.append(await serve_brief(again))
    screen.print(f"driftwake, exactly once        {_mean(wholes):10,.0f}/s   {_told(wholes)}")
    screen.print(f"driftwake, four fields         {_mean(fews):10,.0f}/s   {_told(fews)}")
    screen.print(f"a plain loop, exactly once     {_mean(plains):10,.0f}/s   {_told(plains)}")
    screen.print(f"Faust, one event at a time     {_mean(fausts):10,.0f}/s   {_told(fausts)}")
    if is_all:
        await others(bench)
    bars = (
        ("of per-event Faust", _mean(wholes) / _mean(fausts), FAUST),
        ("of the plain loop", _mean(wholes) / _mean(plains), PLAIN),
        ("of the plain loop, with its four fields", _mean(fews) / _mean(plains), BRIEF),
    )
    for name, ratio, least in bars:
        screen.print(f"{ratio:6.2f} times the rate {name} (at least {least}): {'held' if ratio >= least else 'missed'}")
    return all(ratio >= least for _, ratio, least in bars)


def _mean(rates: Sequence[float]) -> float:
    """The rate over as much work at each."""
    return len(rates) / sum(1 / rate for rate in rates)


def _told(rates: Sequence[float]) -> str:
    return ", ".join(f"{rate:,.0f}/s" for rate in rates)


@contextlib.asynccontextmanager
async def ground(bootstrap: str | None) -> AsyncIterator[tuple[Path, str, Publisher]]:
    """Give a folder, the address of a broker, an embedded one where none is named, and a publisher."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="driftwake-bench-")))
        if bootstrap is None:
            bootstrap = (await stack.enter_async_context(EmbeddedBroker(folder / "broker"))).bootstrap
        publisher = Publisher(bootstrap)
        stack.push_async_callback(publisher.stop)
        yield folder, bootstrap, publisher


async def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.serving_throughput", description=__doc__)
    parser.add_argument("--bootstrap", help="a broker that runs; without it an embedded one is started")
    parser.add_argument("--requests", type=int, default=300_000)
    parser.add_argument("--events", type=int, default=20_000, help="how many of the requests per-event Faust answers")
    parser.add_argument("--all", action="store_true", help="measure the stages behind serving too")
    parser.add_argument("--profile", type=Path, help="profile the workers' event loops into FILE.STAGE")
    given = parser.parse_args()
    if given.requests < LEAST_REQUESTS:
        parser.error(f"--requests: at least {LEAST_REQUESTS:,}; fewer are answered in a few batches, which show no rate")
    async with ground(given.bootstrap) as (folder, bootstrap, publisher):
        bench = Bench(bootstrap, f"bench-{uuid.uuid4().hex[:6]}", folder, given.requests, publisher, given.profile)
        are_held = await measure(bench, min(given.events, given.requests), is_all=given.all)
    return int(not are_held)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(main()))
