"""The embedded broker as a process: it keeps its data, it never outlives its parent, it says why it can't start."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from streams.contracts.errors import BrokerError
from streams.transport import jars, warm_start
from streams.transport.admin import count_brokers
from streams.transport.broker import EmbeddedBroker, classes_file, run_broker
from streams.transport.records import Output
from tests.kit.topics import make_topics, publish, read_all


async def test_a_restart_keeps_data_and_port_and_a_second_broker_is_refused(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path) as broker:
        first = broker.bootstrap
        await make_topics(first, "kept", partitions=2)
        await publish(first, [Output("kept", 1, b"key", b"value")])
        with pytest.raises(BrokerError, match=f"already runs.*{first}"):
            await EmbeddedBroker(tmp_path).start()
        with pytest.raises(BrokerError, match="is taken"):
            await EmbeddedBroker(tmp_path / "other", int(first.rpartition(":")[2])).start()
    async with EmbeddedBroker(tmp_path) as broker:
        assert broker.bootstrap == first
        assert [(record.partition, record.key, record.value) for record in await read_all(first, "kept")] == [
            (1, b"key", b"value")
        ]
        (java,) = psutil.Process(broker.pid).children()
        java.kill()
        with pytest.raises(BrokerError, match="ended with exit code 9"):
            await broker.watch()


@contextlib.asynccontextmanager
async def parent(folder: Path, **variables: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, object]]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.kit.broker_parent",
        str(folder),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **variables},  # noqa: TID251 - a child needs the machine's environment
    )
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            if line.startswith(b"{"):
                yield process, json.loads(line)
                break
        else:
            raise AssertionError("the parent ended before its broker was up")
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def cache_with_jars(folder: Path) -> Path:
    folder.mkdir()
    for jar in jars.class_path(jars.cache_folder()):
        (folder / jar.name).symlink_to(jar)
    return folder


@pytest.mark.parametrize("content", [b"", b"no cache of classes"])
async def test_a_cache_of_classes_that_is_none_is_left_aside(tmp_path: Path, content: bytes) -> None:
    cache = cache_with_jars(tmp_path / "cache")
    classes_file(cache).write_bytes(content)
    async with EmbeddedBroker(tmp_path / "broker", cache=cache) as broker:
        assert await count_brokers(broker.bootstrap) == 1


@pytest.mark.full
async def test_a_cache_of_classes_is_made_once(tmp_path: Path) -> None:
    cache = cache_with_jars(tmp_path / "cache")
    await warm_start.make(cache)
    made = classes_file(cache).stat()
    await warm_start.make(cache)
    assert classes_file(cache).stat() == made
    assert {file.suffix for file in cache.iterdir()} == {".jar", ".aot"}
    async with EmbeddedBroker(tmp_path / "broker", cache=cache) as broker:
        assert await count_brokers(broker.bootstrap) == 1


async def test_it_dies_with_a_killed_parent_and_starts_again_without_a_network(tmp_path: Path) -> None:
    jars.class_path(jars.cache_folder())
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    async with parent(tmp_path, **nowhere) as (process, told):
        (number,) = told["java"]  # type: ignore[misc]
        java = psutil.Process(number)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        await asyncio.to_thread(java.wait, 10)
    async with EmbeddedBroker(tmp_path) as broker:
        assert broker.bootstrap == told["bootstrap"]


async def test_run_broker_ends_when_told(tmp_path: Path) -> None:
    stopping, addresses = asyncio.Event(), []

    def on_ready(address: str) -> None:
        addresses.append(address)
        stopping.set()

    await run_broker(tmp_path, None, stopping, on_ready)
    assert len(addresses) == 1


async def test_the_end_of_the_log_says_why_it_did_not_start(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path):
        pass
    meta = tmp_path / "data" / "meta.properties"
    meta.write_text(meta.read_text().replace("node.id=1", "node.id=7"))
    with pytest.raises(BrokerError, match=r"ended while starting[\s\S]*node"):
        await EmbeddedBroker(tmp_path).start()
