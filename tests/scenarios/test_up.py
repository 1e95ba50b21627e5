"""`driftwake up` as a user runs it: one command, a config, their own model and topics; and a worker that dies."""

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
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


def config(folder: Path, port: int, **more: Any) -> Path:
    digest = make_bundle(folder / "made", model=MODEL)
    bundle = BundleStore(folder / "made").path(MODEL, digest)
    columns = [{"name": one.name, "kind": one.kind, "role": one.role} for one in SCHEMA.columns]
    model = {"name": MODEL, "schema": {"columns": columns}, "partitions": 2, "bundle": str(bundle), "skew": "1m"}
    file = folder / "driftwake.yaml"
    file.write_text(yaml.safe_dump({"data_dir": str(folder / "data"), "broker": {"port": port}, "models": [model]} | more))
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


def said(folder: Path, event: str) -> list[dict[str, Any]]:
    """What the workers' logs say of an event."""
    lines = [line for file in sorted((folder / "data" / "logs").glob("streams*.jsonl")) for line in file.read_text().splitlines()]
    return [one for line in lines if (one := json.loads(line)).get("event") == event]


async def shared(folder: Path, workers: int) -> None:
    """Wait until so many workers have told that they take part in serving."""
    async with asyncio.timeout(SECONDS):
        while len({one["process"] for one in said(folder, "TasksShared") if ".serving." in one["group"]}) < workers:  # noqa: ASYNC110 - a file rings no bell
            await asyncio.sleep(0.2)


@pytest.mark.timeout(240)
async def test_workers_share_the_work_callers_are_answered_and_one_more_helps_for_a_while(tmp_path: Path) -> None:
    port = free_port()
    bootstrap, file = f"127.0.0.1:{port}", config(tmp_path, port, workers=2, door={})
    async with up(file) as process:
        await answered(bootstrap, 0)
        await shared(tmp_path, 2)
        publisher = Publisher(bootstrap, "test")
        await publisher.start()
        more = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "daemon.cli",
            "worker",
            "--config",
            str(file),
            "--number",
            "3",
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            await ask(publisher, 0, 100)
            await shared(tmp_path, 3)
            await ask(publisher, 100, 100)
            await answered(bootstrap, 200)
            more.terminate()
            assert await asyncio.wait_for(more.wait(), 60) == 0
            await ask(publisher, 200, 100)
            await answered(bootstrap, 300)
            ports = {one["port"] for one in said(tmp_path, "DoorOpened")}
            assert len(ports) == 3
            statuses = [await call(door) for door in ports]
            assert 200 in statuses
            seen = await answered(bootstrap, 300 + statuses.count(200))
        finally:
            await publisher.stop()
            if more.returncode is None:
                more.kill()
                await more.wait()
        assert seen.is_exact
        assert seen.requests == 300 + statuses.count(200)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 60) == 0


async def call(port: int) -> int:
    """Ask at a worker's door; 503 where it has no partition, 0 where nobody is any more."""
    inputs = [
        {"name": one.name, "datatype": "FP64" if one.kind == "number" else "BYTES", "shape": [1], "data": [None]}
        for one in SCHEMA.columns
    ]
    try:
        url = f"http://127.0.0.1:{port}/v2/models/{MODEL}/infer"
        async with aiohttp.ClientSession() as session, session.post(url, json={"inputs": inputs}) as answer:
            return answer.status
    except aiohttp.ClientConnectionError:
        return 0


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
