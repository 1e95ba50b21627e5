"""A model that is served elsewhere, as a user has it: KServe's logger on two topics, `adopt`, `up`, a new champion."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
import yaml
from aiohttp import web

from streams.contracts.errors import TransportError
from streams.contracts.records import Prediction
from streams.contracts.topics import topic_name
from streams.dialects import kserve_logger
from streams.inference.session import Scorer, load
from streams.inference.store import BundleStore
from streams.runtime.watermark import read_watermark
from streams.transport.publisher import Publisher
from streams.transport.records import Output
from tests.kit.bundles import SCHEMA, START_MS, make_bundle, rows_of
from tests.kit.topics import read_all

MODEL = "toys"
SECONDS = 90.0
NAMES = [column.name for column in SCHEMA.columns]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def config(folder: Path, port: int, hook: str, **more: Any) -> Path:
    columns = [{"name": one.name, "kind": one.kind, "role": one.role} for one in SCHEMA.columns]
    model = {
        "name": MODEL, "schema": {"columns": columns}, "partitions": 2, "skew": "1m", "dialect": "kserve_logger",
        "sidecar": {"responses": "toys.responses", "webhook": hook}, "log": {"score": "score"},
        "planning": {"autonomy": "act"}, **more,
    }  # fmt: skip
    file = folder / "driftwake.yaml"
    file.write_text(yaml.safe_dump({"data_dir": str(folder / "data"), "broker": {"port": port}, "models": [model]}))
    return file


def recorded(folder: Path, server: Scorer) -> Path:
    """A log of what the server answered, with what became of it."""
    columns = rows_of(1_000, seed=9)
    times = [START_MS + 1_000 * number for number in range(1_000)]
    scores = server.score(columns, {}, times).astype(np.float64)
    labels = (np.random.default_rng(3).random(1_000) < scores).astype(float)
    more = {"time": times, "label_time": [one + 5_000 for one in times], "label": labels, "score": scores}
    file = folder / "log.parquet"
    pd.DataFrame(columns | more).to_parquet(file)
    return file


async def driftwake(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "daemon.cli", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


@asynccontextmanager
async def up(file: Path) -> AsyncIterator[None]:
    with (file.parent / "up.out").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "daemon.cli", "up", "--config", str(file), stdout=output, stderr=output
        )
    try:
        yield
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 60) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def hook() -> AsyncIterator[tuple[str, asyncio.Queue[Any]]]:
    """The server's side of the webhook."""
    heard: asyncio.Queue[Any] = asyncio.Queue()

    async def hear(request: web.Request) -> web.Response:
        heard.put_nowait(json.loads(await request.read()))
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/", hear)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/", heard
    finally:
        await runner.cleanup()


async def serve(publisher: Publisher, server: Scorer, numbers: Sequence[int], version: str) -> dict[str, float]:
    """Log requests and what the server answered, answers first and on other partitions; return the scores by id."""
    columns, now_ms = rows_of(len(numbers), seed=numbers[0]), time.time_ns() // 1_000_000
    scores = server.score(columns, {}, [now_ms] * len(numbers)).astype(np.float64).tolist()
    outputs = []
    for place, number in enumerate(numbers):
        outcome = {"name": "p", "shape": [1, 2], "datatype": "FP64", "data": [1 - scores[place], scores[place]]}
        answer = kserve_logger.answer_example(f"r{number}", 0.0)
        value = msgspec.json.encode({"model_name": MODEL, "model_version": version, "outputs": [outcome]})
        outputs.append(Output("toys.responses", (number + 1) % 2, None, value, answer.headers))
    for place, number in enumerate(numbers):
        asked = kserve_logger.example(f"r{number}", now_ms, {name: columns[name][place] for name in NAMES})
        outputs.append(Output(topic_name("requests", MODEL), number % 2, b"k", asked.value, asked.headers))
    await publisher.send_many(outputs)
    return {f"r{number}": score for number, score in zip(numbers, scores, strict=True)}


async def predictions(bootstrap: str, expected: int) -> list[Prediction]:
    end = time.monotonic() + SECONDS
    while True:
        assert time.monotonic() < end, f"not {expected} predictions after {SECONDS} s"
        try:
            records = await read_all(bootstrap, topic_name("predictions", MODEL))
        except TransportError:
            continue
        data = [one for one in records if read_watermark(one.key, one.headers) is None and not one.headers]
        if len(data) >= expected:
            return [msgspec.json.decode(one.value or b"", type=Prediction) for one in data]


@pytest.mark.timeout(300)
async def test_a_model_served_elsewhere_is_looked_after(tmp_path: Path) -> None:
    made = BundleStore(tmp_path / "made")
    server = load(made, MODEL, make_bundle(tmp_path / "made", model=MODEL, seed=5))
    better = make_bundle(tmp_path / "made", model=MODEL, seed=1)
    port = free_port()
    bootstrap = f"127.0.0.1:{port}"
    async with hook() as (url, heard):
        said = await driftwake(
            "adopt", MODEL, "--data", str(recorded(tmp_path, server)), "--config", str(config(tmp_path, port, url))
        )
        adopted = said.split()[-1]
        versions = {"responses": "toys.responses", "webhook": url, "versions": {"first": adopted}}
        file = config(tmp_path, port, url, bundle=adopted, sidecar=versions)
        async with up(file):
            await predictions(bootstrap, 0)
            publisher = Publisher(bootstrap, "test")
            await publisher.start()
            try:
                scores = await serve(publisher, server, range(100), "first")
                found = await predictions(bootstrap, 100)
                told = await asyncio.wait_for(heard.get(), SECONDS)
                assert (told["model"], told["champion"], told["generation"]) == (MODEL, adopted, 1)
                await driftwake(
                    "deploy", MODEL, str(made.path(MODEL, better)), "--force", "a test says so", "--config", str(file)
                )
                told = await wait_for_news(heard, publisher, server)
                assert (told["champion"], Path(told["bundle"]).name) == (better, better)
                # The server follows: it loads the bundle that the webhook named and says so in its log.
                follower = load(BundleStore(Path(told["bundle"]).parents[1]), MODEL, better)
                scores |= await serve(publisher, follower, range(1_000, 1_100), better[:12])
                end = time.monotonic() + SECONDS
                while not {f"r{number}" for number in range(1_000, 1_100)} <= {one.id for one in found}:
                    assert time.monotonic() < end
                    found = await predictions(bootstrap, 0)
            finally:
                await publisher.stop()
    ids = [one.id for one in found]
    assert len(ids) == len(set(ids))
    by_id = {one.id: one for one in found}
    assert {name: by_id[name].score for name in scores} == scores
    assert {by_id[f"r{number}"].digest for number in range(100)} == {adopted}
    assert {by_id[f"r{number}"].digest for number in range(1_000, 1_100)} == {better}
    assert not [one.id for one in found if one.flags and "unknown_version" in one.flags]
    places = {(by_id[f"r{number}"].partition, by_id[f"r{number}"].offset) for number in range(100)}
    assert places == {(number % 2, number // 2) for number in range(100)}
    assert aliases(tmp_path)["champion"] == better


def aliases(folder: Path) -> dict[str, str]:
    """The digests that MLflow's aliases point at."""
    query = (
        "select alias.alias, tag.value from registered_model_aliases alias "
        "join model_version_tags tag on tag.name = alias.name and tag.version = alias.version where tag.key = 'driftwake.digest'"
    )
    with contextlib.closing(sqlite3.connect(folder / "data" / "mlflow.sqlite")) as database:
        return dict(database.execute(query))


async def wait_for_news(heard: asyncio.Queue[Any], publisher: Publisher, server: Scorer) -> Any:
    """Wait for the next notice; traffic goes on meanwhile, for event time stands still without it."""
    for number in range(200):
        await serve(publisher, server, [100 + number], "first")
        try:
            return await asyncio.wait_for(heard.get(), 0.5)
        except TimeoutError:
            continue
    raise AssertionError("nobody was told of the new champion")
