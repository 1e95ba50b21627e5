"""A Messages API on loopback that answers what it was told to, in order, and keeps what it was asked. Real HTTP, real streams."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType, TracebackType
from typing import Any, NamedTuple, Self

from aiohttp import web

REQUEST_ID = "req_011CTest"
USAGE = {"input_tokens": 1_000, "output_tokens": 100, "cache_creation_input_tokens": 200, "cache_read_input_tokens": 500}
_numbers = itertools.count(1)


class Says(NamedTuple):
    """A whole streamed answer; or one of whose events only the first so many come, and then the end, nothing or a cut."""

    content: list[dict[str, Any]]
    stop_reason: str | None = "tool_use"
    events: int | None = None
    then: str = "end"
    usage: Mapping[str, Any] = USAGE
    stop_details: dict[str, Any] | None = None


class Status(NamedTuple):
    """An error."""

    status: int
    kind: str = "api_error"
    headers: Mapping[str, str] = MappingProxyType({})


class Raw(NamedTuple):
    """A body that is sent as it stands."""

    body: bytes
    content_type: str = "text/event-stream"
    status: int = 200


class Held:
    """A step that is kept back until somebody opens the gate, or the server ends.

    Attributes:
        reached: set once it was asked for.
        gate: whoever sets it lets the answer go.
    """

    def __init__(self, step: Says | Status | Raw) -> None:
        self.step = step
        self.reached = asyncio.Event()
        self.gate = asyncio.Event()


Step = Says | Status | Raw | Held
Script = Iterable[Step | Callable[[dict[str, Any]], Step]]


class Seen(NamedTuple):
    """A request as it came."""

    headers: dict[str, str]
    body: dict[str, Any]
    raw: str


def text(said: str) -> dict[str, Any]:
    """A block of text."""
    return {"type": "text", "text": said}


def call(name: str, **given: Any) -> dict[str, Any]:
    """A call of a tool."""
    return {"type": "tool_use", "id": f"toolu_{next(_numbers):06d}", "name": name, "input": given}


class MessagesServer:
    """Serves as long as the block.

    Args:
        script: what is answered, in order. A function is asked with the request's body. After the last step everything is a 500.
    """

    def __init__(self, script: Script = ()) -> None:
        self._script = iter(script)
        self._closing = asyncio.Event()
        self._held: list[Held] = []
        self.seen: list[Seen] = []
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/v1/messages", self._hear)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closing.set()
        for held in self._held:
            held.gate.set()
        await self._runner.cleanup()

    async def _hear(self, request: web.Request) -> web.StreamResponse:
        raw = await request.text()
        body = json.loads(raw)
        self.seen.append(Seen(dict(request.headers), body, raw))
        step = next(self._script, Status(500))
        step = step(body) if callable(step) else step
        if isinstance(step, Held):
            self._held.append(step)
            step.reached.set()
            await step.gate.wait()
            step = step.step
        match step:
            case Status():
                error = {"type": "error", "error": {"type": step.kind, "message": "no"}, "request_id": REQUEST_ID}
                headers = {"request-id": REQUEST_ID, **step.headers}
                return web.json_response(error, status=step.status, headers=headers)
            case Raw():
                return web.Response(body=step.body, content_type=step.content_type, status=step.status)
            case Says():
                return await self._say(request, step)

    async def _say(self, request: web.Request, step: Says) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream", "request-id": REQUEST_ID})
        await response.prepare(request)
        for event in events_of(step)[: step.events]:
            await response.write(event)
        if step.then == "nothing":
            await self._closing.wait()
        if step.then == "cut" and request.transport is not None:
            request.transport.abort()
        return response


def events_of(step: Says) -> list[bytes]:
    """The events of a whole answer, in their order."""
    start = {
        "id": f"msg_{next(_numbers):06d}", "type": "message", "role": "assistant", "model": "claude-test", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {**step.usage, "output_tokens": 1},
    }  # fmt: skip
    found = [_event("message_start", message=start), _event("ping")]
    for index, block in enumerate(step.content):
        found += _block(index, block)
    delta = {"stop_reason": step.stop_reason, "stop_sequence": None, "stop_details": step.stop_details}
    usage = {"output_tokens": step.usage.get("output_tokens")}
    return [*found, _event("message_delta", delta=delta, usage=usage), _event("message_stop")]


def _block(index: int, block: dict[str, Any]) -> list[bytes]:
    if block["type"] == "text":
        empty, pieces = {"type": "text", "text": ""}, [{"type": "text_delta", "text": block["text"]}]
    else:
        written = json.dumps(block["input"])
        half = len(written) // 2
        empty = {**block, "input": {}}
        pieces = [{"type": "input_json_delta", "partial_json": part} for part in ("", written[:half], written[half:])]
    return [
        _event("content_block_start", index=index, content_block=empty),
        *(_event("content_block_delta", index=index, delta=piece) for piece in pieces),
        _event("content_block_stop", index=index),
    ]


def _event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()
