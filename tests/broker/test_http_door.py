"""The door over HTTP, on a real broker: who is answered stands in the log, and who isn't, does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import numpy as np
import pytest_asyncio

from streams.calling.config import CallingConfig
from streams.calling.stage import MOST_ROWS, CallingStage
from streams.contracts.features import Window
from streams.inference.session import load
from streams.inference.store import BundleStore
from streams.runtime.clock import SystemClock
from tests.kit.bundles import SCHEMA, START_MS, make_bundle, rows_of
from tests.kit.serving import PARTITIONS, SKEW_MS, Bench, deploy, running, stage_of

COUNT = Window(aggregate="count", source="requests", by=("owner",), range_ms=3_600_000)
ROWS = rows_of(200, seed=3)


class Caller:
    """A model, its door, and a client."""

    def __init__(self, bench: Bench) -> None:
        self.bootstrap, self.model, self.registry = bench.bootstrap, bench.model, bench.registry
        self.publisher, self.watcher = bench.publisher, bench.watcher
        self.url = ""
        self.session = aiohttp.ClientSession()

    @asynccontextmanager
    async def open(self, most_callers: int = 500) -> AsyncIterator[None]:
        """Serve, with an open door."""
        stage = stage_of(self.bootstrap, self.model, self.registry, replay=False, most_callers=most_callers)
        async with running(stage):
            assert stage.behind is not None
            door = CallingStage({self.model: stage.behind}, config=CallingConfig(), clock=SystemClock(), version="1")
            async with door:
                self.url = f"http://127.0.0.1:{door.port}/v2"
                yield

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.session.get(self.url + path) as answer:
            return answer.status, await answer.json()

    async def ask(self, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.session.post(f"{self.url}/models/{self.model}/infer", data=data, headers=headers) as answer:
            return answer.status, await answer.json(), answer.headers

    async def serve(self, seed: int = 0, windows: tuple[Window, ...] = ()) -> str:
        digest = make_bundle(self.registry, model=self.model, seed=seed, windows=windows, skew_ms=SKEW_MS)
        await deploy(self.publisher, self.model, 1, digest)
        await self.watcher.until(lambda w: len(w.reports) == PARTITIONS and all(digest in r.ready for r in w.reports.values()))
        return digest


@pytest_asyncio.fixture
async def caller(bench: Bench) -> AsyncIterator[Caller]:
    caller = Caller(bench)
    yield caller
    await caller.session.close()


def inputs(*rows: int) -> list[dict[str, Any]]:
    kinds = {column.name: "FP64" if column.kind == "number" else "BYTES" for column in SCHEMA.columns}
    return [
        {"name": name, "datatype": kinds[name], "shape": [len(rows), 1], "data": [values[row] for row in rows]}
        for name, values in ROWS.items()
    ]


def expected(caller: Caller, digest: str, *rows: int) -> list[float]:
    scorer = load(BundleStore(caller.registry), caller.model, digest)
    columns = {name: [values[row] for row in rows] for name, values in ROWS.items()}
    return [float(score) for score in scorer.score(columns, {}, [START_MS] * len(rows))]


async def test_an_answer_is_that_of_the_log(caller: Caller) -> None:
    async with caller.open():
        digest = await caller.serve()
        request = {"id": "mine", "parameters": {"time_ms": START_MS, "key": "customer"}, "inputs": inputs(0)}
        status, answer, _ = await caller.ask(request)
        assert (status, answer["id"], answer["model_name"], answer["model_version"]) == (200, "mine", caller.model, digest)
        assert answer["outputs"][0]["data"] == expected(caller, digest, 0)
        status, answer, _ = await caller.ask({"parameters": {"time_ms": START_MS}, "inputs": inputs(1, 2, 3)})
        assert (status, answer["outputs"][0]["shape"], "id" in answer) == (200, [3, 1], False)
        assert answer["outputs"][0]["data"] == expected(caller, digest, 1, 2, 3)
        await caller.watcher.until(lambda w: len(w.predictions) == 4)
    first, *others = sorted(caller.watcher.predictions, key=lambda one: one.id != "mine")
    assert (first.id, first.time_ms, first.score) == ("mine", START_MS, expected(caller, digest, 0)[0])
    assert sorted(one.id[-2:] for one in others) == ["/0", "/1", "/2"]
    assert caller.watcher.rejected == []


async def test_raw_tensors_are_read(caller: Caller) -> None:
    async with caller.open():
        digest = await caller.serve()
        numbers = [np.array(ROWS[name][5:7], "<f4") for name in ("weight", "distance")]
        told = inputs(5, 6)
        for tensor, raw in zip(told, numbers, strict=False):
            tensor |= {"datatype": "FP32", "parameters": {"binary_data_size": raw.nbytes}}
            del tensor["data"]
        head = json.dumps({"parameters": {"time_ms": START_MS}, "inputs": told}).encode()
        body = head + b"".join(raw.tobytes() for raw in numbers)
        status, answer, _ = await caller.ask(body, {"Inference-Header-Content-Length": str(len(head))})
        assert (status, answer["outputs"][0]["data"]) == (200, expected(caller, digest, 5, 6))


async def test_many_callers_at_once_each_get_their_own_answer_also_from_a_model_with_windows(caller: Caller) -> None:
    async with caller.open():
        await caller.serve(windows=(COUNT,))
        calls = [
            caller.ask({"id": f"r{row}", "parameters": {"time_ms": START_MS + row}, "inputs": inputs(row)}) for row in range(200)
        ]
        answers = await asyncio.gather(*calls)
        await caller.watcher.until(lambda w: len(w.predictions) == 200)
    logged = {one.id: one.score for one in caller.watcher.predictions}
    assert {answer["id"]: answer["outputs"][0]["data"][0] for _, answer, _ in answers} == logged
    assert {status for status, _, _ in answers} == {200}
    assert len(logged) == 200


async def test_what_can_t_be_answered_is_told_why_and_isn_t_in_the_log(caller: Caller) -> None:
    async with caller.open(most_callers=2):
        assert (await caller.get("/health/ready"))[0] == 503
        status, answer, headers = await caller.ask({"inputs": inputs(0)})
        assert (status, headers["Retry-After"]) == (503, "1")
        await caller.serve()
        assert (await caller.get("/health/ready"))[0] == 200
        status, answer, headers = await caller.ask({"inputs": inputs(0, 1, 2)})
        assert (status, headers["Retry-After"]) == (503, "1")
        assert "at most 2" in answer["error"]
        wrong = inputs(0)
        wrong[0]["data"] = ["heavy"]
        wrong[0]["datatype"] = "BYTES"
        for body, why in (
            (b"junk", "not_json"),
            ({"inputs": inputs(0)[1:]}, "no input weight"),
            ({"inputs": wrong}, "wrong_type: features.weight"),
            ({"inputs": inputs(0), "parameters": {"time_ms": 5}}, "absurd_time"),
            ({"inputs": inputs(0), "id": ""}, "bad_id"),
            ({"inputs": []}, "no input"),
        ):
            status, answer, _ = await caller.ask(body)
            assert status == 400, why
            assert why in answer["error"]
        assert (await caller.ask({"inputs": inputs(*[0] * (MOST_ROWS + 1))}))[0] == 413
        assert (await caller.ask(b"x", {"Inference-Header-Content-Length": "9"}))[0] == 400
        status, answer, _ = await caller.ask({"id": "last", "inputs": inputs(0)})
        assert status == 200
        await caller.watcher.until(lambda w: len(w.predictions) == 1)
    assert [one.id for one in caller.watcher.predictions] == ["last"]
    assert caller.watcher.rejected == []


async def test_the_future_is_put_aside_and_told(caller: Caller) -> None:
    async with caller.open():
        await caller.serve()
        status, answer, _ = await caller.ask({"parameters": {"time_ms": 4_102_000_000_000}, "inputs": inputs(0)})
        assert status == 422
        assert "absurd_time" in answer["error"]
        await caller.watcher.until(lambda w: len(w.rejected) == 1)


async def test_metadata_follow_the_protocol(caller: Caller) -> None:
    async with caller.open():
        digest = await caller.serve()
        assert await caller.get("/health/live") == (200, {"live": True})
        assert (await caller.get(""))[1]["name"] == "driftwake"
        status, told = await caller.get(f"/models/{caller.model}")
        assert (status, told["versions"], told["platform"]) == (200, [digest], "onnx_onnxv1")
        assert [one["name"] for one in told["inputs"]] == [column.name for column in SCHEMA.columns]
        assert (await caller.get(f"/models/{caller.model}/versions/{digest}/ready")) == (
            200,
            {"name": caller.model, "ready": True},
        )
        for path in ("/models/other", f"/models/{caller.model}/versions/1", "/nothing"):
            status, told = await caller.get(path)
            assert (status, list(told)) == (404, ["error"])
