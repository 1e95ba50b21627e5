"""`driftwake up` as a user runs it: one command, a config, their own model and topics; and a worker that dies."""

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import psutil
import pytest
import yaml

from daemon.replay.delivery import check_delivery
from daemon.report.model import Delivery
from streams.contracts.errors import TransportError
from streams.contracts.records import Request
from streams.contracts.topics import topic_name
from streams.inference.store import BundleStore
from streams.transport.publisher import Publisher
from streams.transport.records import Output
from tests.kit.bundles import SCHEMA, make_bundle, rows_of

MODEL = "toys"
SECONDS = 90.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def config(folder: Path, port: int) -> Path:
    digest = make_bundle(folder / "made", model=MODEL)
    bundle = BundleStore(folder / "made").path(MODEL, digest)
    columns = [{"name": one.name, "kind": one.kind, "role": one.role} for one in SCHEMA.columns]
    model = {"name": MODEL, "schema": {"columns": columns}, "partitions": 2, "bundle": str(bundle), "skew": "1m"}
    file = folder / "driftwake.yaml"
    file.write_text(yaml.safe_dump({"data_dir": str(folder / "data"), "broker": {"port": port}, "models": [model]}))
    return file


@asynccontextmanager
async def up(file: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    with (file.parent / "up.out").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "daemon.cli", "up", "--config", str(file), stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def below(process: asyncio.subprocess.Process) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


async def answered(bootstrap: str, expected: int) -> Delivery:
    end = time.monotonic() + SECONDS
    while True:
        try:
            seen = await check_delivery(
                bootstrap,
                requests=topic_name("requests", MODEL),
                predictions=topic_name("predictions", MODEL),
                quarantine=topic_name("quarantine"),
            )
        except TransportError:
            seen = None
        if seen is not None and seen.predictions + seen.quarantined >= expected:
            return seen
        assert time.monotonic() < end, f"only {seen} after {SECONDS} s"


async def ask(publisher: Publisher, first: int, count: int) -> None:
    columns = rows_of(count, seed=first)
    now_ms = time.time_ns() // 1_000_000
    for i in range(count):
        features = {name: values[i] for name, values in columns.items()}
        value = msgspec.json.encode(Request(f"r{first + i}", now_ms + i, features))
        await publisher.send(Output(topic_name("requests", MODEL), i % 2, b"k", value))


@pytest.mark.timeout(240)
async def test_each_request_is_answered_once_although_the_worker_is_killed(tmp_path: Path) -> None:
    port = free_port()
    bootstrap = f"127.0.0.1:{port}"
    async with up(config(tmp_path, port)) as process:
        await answered(bootstrap, 0)
        publisher = Publisher(bootstrap, "test")
        await publisher.start()
        try:
            await ask(publisher, 0, 100)
            await answered(bootstrap, 100)
            (worker,) = [child for child in below(process) if "streams.app" in child.cmdline()]
            await ask(publisher, 100, 50)
            worker.kill()
            await publisher.send(Output(topic_name("requests", MODEL), 0, b"k", b"{not json"))
            await ask(publisher, 150, 50)
            seen = await answered(bootstrap, 201)
        finally:
            await publisher.stop()
        assert (seen.requests, seen.predictions, seen.quarantined) == (201, 200, 1)
        assert seen.is_exact
        family = below(process)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 60) == 0
        _, alive = psutil.wait_procs(family, timeout=10)
        assert not alive, [child.cmdline() for child in alive]
