"""One scenario from its file to its result: through the product's own topics, stages and daemon, one replay for all policies.

The runner writes only to topics (requests, labels, commands) and reads only topics, the lake and the ledger; what a policy
trains, it trains with the product's skills, as a person would by hand.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from daemon.ledger.ledger import open_ledger
from daemon.replay.by_hand import ByHand
from daemon.replay.delivery import delivery_of, read_delivery
from daemon.replay.log import Log
from daemon.replay.resources import MemoryWatch
from daemon.replay.source import buckets
from daemon.replay.stage import staged
from daemon.report.collect_incidents import incident_report
from daemon.report.model import Delivery, IncidentReport
from daemon.settings import DaemonSettings
from daemon.topics import make_topics
from streams.contracts.features import Window
from streams.contracts.records import Deployment
from streams.contracts.topics import topic_name
from streams.inference.store import BundleStore
from streams.lake.lake import Lake
from streams.runtime.clock import SystemClock
from streams.runtime.config import load as load_config
from streams.runtime.logging import logging_to
from streams.transport.broker import EmbeddedBroker
from streams.transport.follower import Follower
from tests.bench.closed_loop.cast import Cast, Trained, before
from tests.bench.closed_loop.data.base import DataSet
from tests.bench.closed_loop.faults.base import Ground, Happened, Planned
from tests.bench.closed_loop.faults.family import Faults
from tests.bench.closed_loop.latency import Latencies, latencies_of
from tests.bench.closed_loop.matured import Matured
from tests.bench.closed_loop.policies.base import World
from tests.bench.closed_loop.policies.making import make
from tests.bench.closed_loop.remembering import RememberingByHand
from tests.bench.closed_loop.rows import labels_of, requests_of
from tests.bench.closed_loop.served import Served, read_served
from tests.bench.closed_loop.setting import MODEL, Plan, config, write_config

DRIFTWAKE = "driftwake"
DAY_MS = 86_400_000


class Released(NamedTuple):
    """A span of event time [since, until), epoch ms, and how much of it is released at once."""

    since_ms: int
    until_ms: int
    bucket_ms: int


class Job(NamedTuple):
    """What is run: a scenario's data after its injections, and who plays.

    Times are epoch ms; `spans` cover the replay in order. `settings` are the model's. `policies` may or may not name driftwake;
    without it the daemon only observes.
    """

    data: DataSet
    champion_since_ms: int
    champion_until_ms: int
    start_ms: int
    end_ms: int
    spans: Sequence[Released]
    horizon_ms: int
    world: World
    policies: Sequence[str]
    seed: int
    data_dir: Path
    settings: Mapping[str, Any]
    faults: Sequence[Planned] = ()


class Played(NamedTuple):
    """What a replay left behind.

    `retrained_ms` is when driftwake trained each of its models. `deployments` are in order of their generation. `windows` are
    those of each bundle that was champion, by digest. `faults` are those that came about.
    `log_digest` is of what happened in event time alone: the same in every run. `latencies` and `wall_seconds` are by the wall.
    """

    served: Served
    trained: tuple[Trained, ...]
    retrained_ms: tuple[int, ...]
    incidents: tuple[IncidentReport, ...]
    deployments: tuple[Deployment, ...]
    windows: dict[str, tuple[Window, ...]]
    faults: tuple[Happened, ...]
    delivery: Delivery
    latencies: Latencies
    wall_seconds: float
    peak_bytes: int
    log_digest: str


def run(job: Job) -> Played:
    """Replay a scenario from the beginning; its data folder must be empty.

    Raises:
        DaemonError: something didn't come as far as it must.
        StreamsError: the data, the broker or a folder can't be used.
    """
    job.data_dir.mkdir(parents=True, exist_ok=True)
    with (
        (job.data_dir / "bench.out").open("w", encoding="utf-8") as output,
        logging_to(job.data_dir / "logs", "bench", console=output),
    ):
        return asyncio.run(_run(job))


async def _run(job: Job) -> Played:
    stopping, memory = asyncio.Event(), MemoryWatch()
    async with asyncio.TaskGroup() as group:
        group.create_task(memory.run(stopping))
        try:
            return (await _replay(job))._replace(peak_bytes=memory.peak_bytes)
        finally:
            stopping.set()


async def _replay(job: Job) -> Played:
    settings, file, by_hand, champion = await _prepare(job)
    model = settings.model(MODEL)
    async with EmbeddedBroker(settings.folder("broker"), brief=True) as broker:
        bootstrap = broker.bootstrap
        await make_topics(settings, bootstrap)
        clock = SystemClock()
        began = clock.monotonic()
        async with staged(settings, file, MODEL, bootstrap) as stage, asyncio.TaskGroup() as group:
            ground = Ground(settings, broker, stage, by_hand, job.data.windows, job.world.label_delay_ms)
            faults = Faults(job.faults, ground, group)
            cast = await _play(job, ground, faults, champion)
            faults.end()
        wall_seconds = clock.monotonic() - began
        seen = await read_delivery(
            bootstrap,
            requests=model.topic("requests"),
            predictions=model.topic("predictions"),
            quarantine=topic_name("quarantine"),
        )
        said = await _said(bootstrap)
    served = await asyncio.to_thread(_served, job, settings)
    with open_ledger(settings.ledger_place, read_only=True) as ledger:
        incidents = tuple(incident_report(ledger, incident) for incident in ledger.incidents(MODEL))
        retrained_ms = tuple(step.ended_ms for step in ledger.trainings(MODEL) if step.ended_ms is not None)
    deployments = tuple(msgspec.json.decode(value, type=Deployment) for value in said["deployments"])
    store = BundleStore(settings.folder("registry"))
    champions = {one.champion for one in deployments}
    return Played(
        served=served,
        trained=tuple(cast.trained),
        retrained_ms=retrained_ms,
        incidents=incidents,
        deployments=deployments,
        windows={digest: store.read(MODEL, digest).manifest.windows for digest in sorted(champions)},
        faults=tuple(faults.happened),
        delivery=delivery_of(seen),
        latencies=latencies_of(seen),
        wall_seconds=wall_seconds,
        peak_bytes=0,
        log_digest=_digest(said),
    )


async def _prepare(job: Job) -> tuple[DaemonSettings, Path, ByHand, str]:
    """Import what was before the replay, and train the first champion on it."""
    data = job.data
    autonomy = "act" if DRIFTWAKE in job.policies else "observe"
    plan = Plan(data.schema, data.skew_ms, job.horizon_ms, autonomy, job.settings)
    first = write_config(job.data_dir, config(job.data_dir, plan, "0" * 64))
    memory = job.data_dir.parent / "trained"
    by_hand = RememberingByHand(load_config(DaemonSettings, first).settings, MODEL, memory)
    await by_hand.import_history(await asyncio.to_thread(_log(data).history, job.start_ms), "before-the-replay")
    rows = await by_hand.dataset("first", job.start_ms, job.start_ms - job.champion_since_ms, 1, data.windows)
    table = await asyncio.to_thread(before, Path(rows["train"]), job.champion_until_ms)
    champion = await by_hand.train("first", str(table), data.windows)
    file = write_config(job.data_dir, config(job.data_dir, plan, champion))
    return load_config(DaemonSettings, file).settings, file, by_hand, champion


def _log(data: DataSet) -> Log:
    return Log(requests_of(data.rows, data.schema), labels_of(data.rows))


async def _play(job: Job, ground: Ground, faults: Faults, champion: str) -> Cast:
    stage, model = ground.stage, ground.model
    names = [name for name in job.policies if name != DRIFTWAKE]
    rng = np.random.default_rng(job.seed)
    policies = [make(name, job.world, rng) for name in names]
    flush_ms = model.archiving.flush_every.ms
    cast = Cast(policies, by_hand=ground.by_hand, stage=stage, windows=job.data.windows, flush_ms=flush_ms)
    log = _log(job.data).played(job.start_ms, job.end_ms)
    await stage.lockstep.advance(job.start_ms)
    await cast.take_seats(champion)
    follower = Follower(stage.bootstrap, [model.topic("outcomes")])
    await follower.start()
    try:
        matured = Matured(follower, DRIFTWAKE)
        for bucket in itertools.chain.from_iterable(buckets(log.requests, log.labels, **span._asdict()) for span in job.spans):
            await cast.swap_in(bucket.start_ms)
            await faults.begin(bucket.start_ms)
            await stage.lockstep.release(bucket)
            await matured.until(bucket.end_ms)
            await cast.decide(bucket.end_ms, bucket.requests, matured.since_last(names))
        stop_ms = -(-job.end_ms // flush_ms) * flush_ms
        await stage.lockstep.advance(stop_ms)
        await stage.lockstep.archived(stop_ms)
    finally:
        await follower.stop()
    return cast


def _served(job: Job, settings: DaemonSettings) -> Served:
    slots = [name for name in job.policies if name != DRIFTWAKE]
    lake = Lake(settings.lake_place)
    return read_served(lake, job.data.rows, champion=DRIFTWAKE, slots=slots, since_ms=job.start_ms, until_ms=job.end_ms)


async def _said(bootstrap: str) -> dict[str, list[bytes]]:
    """Read what was said in event time: monitors' events and deployments, in the order of their topics."""
    found = {}
    for kind in ("events", "deployments"):
        follower = Follower(bootstrap, [topic_name(kind)])
        try:
            found[kind] = [record.value for record in await follower.start() if record.value]
        finally:
            await follower.stop()
    return found


def _digest(said: dict[str, list[bytes]]) -> str:
    seen = hashlib.sha256()
    for kind in sorted(said):
        for value in said[kind]:
            seen.update(msgspec.json.encode(msgspec.json.decode(value), order="deterministic") + b"\n")
    return seen.hexdigest()
