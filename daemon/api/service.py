"""The API's server, as a part of the daemon's process: starts and stops with it, and dies with it."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import uvicorn
from mode import Service

from daemon.access.address import remove_address, write_address
from daemon.access.config import AccessConfig
from daemon.api.guard import Application
from daemon.api.reading import ReadingRoom
from streams.contracts.errors import StreamsError
from streams.runtime.logging import Log

log = Log("daemon.api.service")

_BACKLOG: Final = 64
_MOST_CONNECTIONS: Final = 64
_HEADER_BYTES: Final = 16 << 10
_STOP_SECONDS: Final = 3
_LONGEST_STOP_SECONDS: Final = 8.0


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process's own end it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ApiService(Service):
    """Serves an application over HTTP, and says in a file where.

    Args:
        application: stands behind its guard.
        access: says where to listen.
        data_dir: where the address is written.
        room: closed at the end.

    Attributes:
        url: where it listens once it has started.
    """

    def __init__(self, application: Application, access: AccessConfig, data_dir: Path, room: ReadingRoom) -> None:
        super().__init__()
        self._access = access
        self._data_dir = data_dir
        self._room = room
        self._sockets: list[socket.socket] = []
        self._ended = asyncio.Event()
        self._server = _Server(_config(application))
        self.url = ""

    async def on_start(self) -> None:
        """Listen.

        Raises:
            StreamsError: the port can't be had.
        """
        host, port = self._access.host, self._access.port
        self._sockets = [_listening(host, port)]
        port = self._sockets[0].getsockname()[1]
        self.url = f"http://{_reachable(host)}:{port}"
        write_address(self._data_dir, self.url)
        tls = "to be ended in front" if self._access.is_exposed else "none, on loopback only"
        log.info("ApiOpened", host=host, port=port, tls=tls)

    @Service.task
    async def serve(self) -> None:
        """Answer calls until told to stop."""
        try:
            await self._server.serve(sockets=self._sockets)
        finally:
            self._ended.set()

    async def on_stop(self) -> None:
        """Take no more calls, and let those that were taken have their answers."""
        remove_address(self._data_dir)
        self._server.should_exit = True
        if self._sockets:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LONGEST_STOP_SECONDS):
                    await self._ended.wait()
        for opened in self._sockets:
            opened.close()
        await asyncio.to_thread(self._room.close)


def _config(application: Any) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        loop="none",
        http="h11",
        ws="none",
        interface="asgi3",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
        backlog=_BACKLOG,
        h11_max_incomplete_event_size=_HEADER_BYTES,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        said = f"access: port {port} on {host}: {error.strerror}; choose another `access.port`, or 0"
        raise StreamsError(said) from error


def _reachable(host: str) -> str:
    """Return the host under which this machine reaches what listens on an address."""
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        return "[::1]" if address.version == 6 else "127.0.0.1"
    return f"[{host}]" if address.version == 6 else host
