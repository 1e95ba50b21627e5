"""The door over HTTP, for callers who can't wait for a topic.

Who asks is answered when his answer is in the log (`streams/serving/door.py`), or told to come back later, and then nothing was
written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web
from mode import Service

from streams.calling.config import CallingConfig
from streams.calling.protocol import CallError, answer_to, described, is_ready, later, rows_of, versions
from streams.contracts.errors import StreamsError, TransportError
from streams.dialects.base import Refusal
from streams.dialects.open_inference import table_asked
from streams.runtime.clock import WallClock
from streams.runtime.logging import Log
from streams.serving.board import Behind
from streams.serving.door import Answer, Asked, BusyError

log = Log("streams.calling.stage")

MOST_BYTES = 4 << 20
MOST_ROWS = 1_000
_JSON_LENGTH = "Inference-Header-Content-Length"
_LENGTH = re.compile(r"[0-9]{1,9}")
_STOP_SECONDS = 5.0


class CallingStage(Service):
    """Answers over HTTP for the models of this process.

    Args:
        models: by name.
        config: the stage's own settings.
        number: of this worker among those of the machine, from 1 on.
        clock: gives requests without `time_ms` their event time.
        version: of the product, for the metadata.

    Attributes:
        port: where it listens once it has started.
    """

    def __init__(
        self, models: Mapping[str, Behind], *, config: CallingConfig, number: int = 1, clock: WallClock, version: str
    ) -> None:
        super().__init__()
        self._models = models
        self._host = config.host
        self._patience_s = config.patience.seconds
        self._clock = clock
        self._version = version
        self._runner = web.AppRunner(self._routed(), access_log=None, shutdown_timeout=_STOP_SECONDS)
        self.port = config.port and config.port + number - 1

    async def on_start(self) -> None:
        """Listen.

        Raises:
            StreamsError: the port can't be had.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self.port).start()
        except OSError as error:
            raise StreamsError(
                f"door: port {self.port} on {self._host}: {error.strerror}; choose another `door.port`, or 0"
            ) from error
        self.port = self._runner.addresses[0][1]
        log.info("DoorOpened", host=self._host, port=self.port)

    async def on_stop(self) -> None:
        """Let those who wait have their answers, and take no more."""
        await self._runner.cleanup()

    def _routed(self) -> web.Application:
        app = web.Application(client_max_size=MOST_BYTES, middlewares=[_in_json])
        app.router.add_get("/v2", self._server)
        app.router.add_get("/v2/health/live", self._live)
        app.router.add_get("/v2/health/ready", self._ready)
        for version in ("", "/versions/{version}"):
            path = "/v2/models/{model}" + version
            app.router.add_get(path, self._model)
            app.router.add_get(path + "/ready", self._model_ready)
            app.router.add_post(path + "/infer", self._infer)
        return app

    async def _server(self, _: web.Request) -> web.Response:
        return _told({"name": "driftwake", "version": self._version, "extensions": ["binary_tensor_data"]})

    async def _live(self, _: web.Request) -> web.Response:
        return _told({"live": True})

    async def _ready(self, _: web.Request) -> web.Response:
        are_ready = all(is_ready(model) for model in self._models.values())
        return _told({"ready": are_ready, "live": True}, 200 if are_ready else 503)

    async def _model(self, request: web.Request) -> web.Response:
        return _told(described(*self._asked_model(request)))

    async def _model_ready(self, request: web.Request) -> web.Response:
        name, model = self._asked_model(request)
        return _told({"name": name, "ready": is_ready(model)}, 200 if is_ready(model) else 503)

    async def _infer(self, request: web.Request) -> web.Response:
        name, model = self._asked_model(request)
        if not is_ready(model):
            raise later(f"{name} has no champion here yet, or none of its partitions is this worker's")
        body = await request.read()
        length = request.headers.get(_JSON_LENGTH, str(len(body)))
        if _LENGTH.fullmatch(length) is None or int(length) > len(body):
            raise CallError(400, f"{_JSON_LENGTH} isn't a length within the body")
        table = table_asked(body, int(length), model.schema)
        if isinstance(table, Refusal):
            raise CallError(400, f"{table.reason}: {table.detail}")
        if table.rows > MOST_ROWS:
            raise CallError(413, f"{table.rows} rows, and at most {MOST_ROWS} in one call")
        now_ms = int(self._clock.now().timestamp() * 1_000)
        return _told(answer_to(name, table, await self._answers(name, model, rows_of(table, now_ms))))

    async def _answers(self, name: str, model: Behind, rows: Sequence[Asked]) -> list[Answer]:
        try:
            answers = await model.door.ask(rows, sorted(model.board.own or ()), self._patience_s)
        except BusyError as busy:
            raise later(f"{name}: {busy}") from None
        except TimeoutError:
            raise CallError(504, f"{name}: no answer in {self._patience_s:g} s; it will be among the predictions") from None
        except TransportError as error:
            raise later(f"{name}: the log can't be written: {error}") from error
        if isinstance(answers, Refusal):
            raise CallError(400, f"{answers.reason}: {answers.detail}")
        refused = next((answer.refused for answer in answers if answer.refused), "")
        if refused:
            raise CallError(422, f"a row is in quarantine: {refused}")
        return answers

    def _asked_model(self, request: web.Request) -> tuple[str, Behind]:
        name, version = request.match_info["model"], request.match_info.get("version")
        model = self._models.get(name)
        if model is None:
            raise CallError(404, f"there is no model {name!r}; there are: {', '.join(self._models)}")
        if version is not None and version not in versions(model):
            raise CallError(404, f"version {version!r} of {name} doesn't serve; this one does: {', '.join(versions(model))}")
        return name, model


@web.middleware
async def _in_json(request: web.Request, handler: Any) -> web.StreamResponse:
    """Whatever goes wrong is told the way the protocol says, as `{"error": ...}`."""
    try:
        response: web.StreamResponse = await handler(request)
    except CallError as error:
        return _told({"error": str(error)}, error.status, error.headers)
    except web.HTTPException as error:
        return _told({"error": error.reason}, error.status)
    return response


def _told(content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=msgspec.json.encode(content), status=status, content_type="application/json", headers=headers)
