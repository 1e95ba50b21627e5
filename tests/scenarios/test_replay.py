"""A replay through all processes goes on where it was when the data plane or the daemon is killed, and answers each once."""

import asyncio
from pathlib import Path

import pandas as pd
import psutil
import pytest
import yaml

from daemon.replay.delivery import check_delivery
from daemon.replay.source import Lockstep, buckets
from daemon.running import Running, broker_of, processes_of
from daemon.settings import DaemonSettings
from streams.contracts.topics import topic_name
from streams.inference.store import BundleStore
from streams.runtime.clock import SystemClock
from streams.runtime.config import load
from streams.transport.follower import Follower
from streams.transport.publisher import Publisher
from tests.kit.bundles import SCHEMA, START_MS, make_bundle, rows_of

MODEL = "toys"
HOUR_MS = 3_600_000
BEGIN_MS = START_MS - START_MS % (24 * HOUR_MS)
ROWS, HOURS = 480, 48
KILLS = {12: "daemon", 20: "streams", 33: "daemon"}


def settings_of(folder: Path) -> tuple[DaemonSettings, Path]:
    digest = make_bundle(folder / "made", model=MODEL, skew_ms=HOUR_MS)
    columns = [{"name": one.name, "kind": one.kind, "role": one.role} for one in SCHEMA.columns]
    bundle = str(BundleStore(folder / "made").path(MODEL, digest))
    model = {"name": MODEL, "schema": {"columns": columns}, "partitions": 2, "bundle": bundle, "skew": "1h", "replay": True}
    file = folder / "replay.yaml"
    file.write_text(yaml.safe_dump({"data_dir": str(folder / "data"), "models": [model | {"label_horizon": "3d"}]}))
    return load(DaemonSettings, file, {}).settings, file


def stream() -> tuple[pd.DataFrame, pd.DataFrame]:
    times = [BEGIN_MS + index * (HOURS * HOUR_MS // ROWS) for index in range(ROWS)]
    requests = pd.DataFrame({"id": [f"r{index}" for index in range(ROWS)], "time_ms": times, **rows_of(ROWS)})
    labels = pd.DataFrame({"id": requests["id"], "time_ms": requests["time_ms"] + 2 * HOUR_MS, "label": [0.0, 1.0] * (ROWS // 2)})
    return requests, labels


async def kill(running: Running, name: str) -> None:
    pid = running.processes[name].pid
    assert pid is not None
    psutil.Process(pid).kill()


@pytest.mark.timeout(300)
async def test_a_replay_outlives_its_processes(tmp_path: Path) -> None:
    settings, file = settings_of(tmp_path)
    requests, labels = stream()
    async with broker_of(settings) as bootstrap:
        publisher, reports = Publisher(bootstrap), Follower(bootstrap, [topic_name("workers")])
        await publisher.start()
        await reports.start()
        names = {kind: topic_name(kind, MODEL) for kind in ("requests", "labels", "predictions", "outcomes")}
        lockstep = Lockstep(
            publisher=publisher,
            reports=reports,
            clock=SystemClock(),
            model=MODEL,
            requests_topic=names["requests"],
            labels_topic=names["labels"],
            events_topic=topic_name("events"),
            partitions=2,
            patience_seconds=120,
        )
        stop_ms = BEGIN_MS + 3 * 24 * HOUR_MS
        try:
            async with processes_of(settings, file, bootstrap) as running:
                await lockstep.advance(BEGIN_MS)
                for number, bucket in enumerate(
                    buckets(requests, labels, since_ms=BEGIN_MS, until_ms=stop_ms, bucket_ms=HOUR_MS)
                ):
                    if number in KILLS:
                        await asyncio.gather(lockstep.release(bucket), kill(running, KILLS[number]))
                    else:
                        await lockstep.release(bucket)
                await lockstep.advance(stop_ms)
                await lockstep.archived(stop_ms)
            seen = await check_delivery(
                bootstrap, requests=names["requests"], predictions=names["predictions"], quarantine=topic_name("quarantine")
            )
            outcomes = Follower(bootstrap, [names["outcomes"]])
            joined = [record for record in await outcomes.start() if record.value and not record.headers]
            await outcomes.stop()
        finally:
            await reports.stop()
            await publisher.stop()
    assert (seen.requests, seen.predictions, seen.quarantined) == (ROWS, ROWS, 0)
    assert seen.is_exact
    assert len(joined) == len({record.key for record in joined}) == ROWS
