"""The processes of one machine's driftwake: started, watched, started again, and stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog

from daemon.errors import DaemonError

log = structlog.get_logger()

STOP_SECONDS = 20.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
MOST_RESTARTS = 8
# Who ran this long has recovered: what it dies of next is counted from the beginning.
STEADY_SECONDS = 600.0


class ProcessFailedError(DaemonError):
    """A process died too often to be started again."""


class ManagedProcess:
    """One Python module as a child process that ends with this one (see `streams/runtime/parent.py`).

    It is started again after a crash, with a pause that doubles, until it has died `MOST_RESTARTS` times without running
    `STEADY_SECONDS` in between; its standard output and error go to `log_file`.
    """

    def __init__(self, name: str, module: str, arguments: Sequence[str], log_file: Path) -> None:
        self.name = name
        self._command = [sys.executable, "-m", module, *arguments]
        self._log_file = log_file
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def run(self) -> None:
        """Run until `stop` is called.

        Raises:
            ProcessFailedError: it died too often.
        """
        loop = asyncio.get_running_loop()
        pause, deaths = FIRST_PAUSE_SECONDS, 0
        while deaths < MOST_RESTARTS and not self._stopping.is_set():
            began = loop.time()
            code = await self._run_once()
            if self._stopping.is_set():
                return
            if loop.time() - began >= STEADY_SECONDS:
                pause, deaths = FIRST_PAUSE_SECONDS, 0
            deaths += 1
            log.warning("ProcessDied", process=self.name, exit_code=code, restart_in_seconds=pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        if not self._stopping.is_set():
            raise ProcessFailedError(f"{self.name} died {MOST_RESTARTS} times; its last words are in {self._log_file}")

    async def _run_once(self) -> int:
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        with self._log_file.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, stdout=output, stderr=output
            )
        log.info("ProcessStarted", process=self.name, pid=self._process.pid)
        if self._stopping.is_set():
            # Told to stop while it was being started: `stop` found nothing to end.
            await self._end(self._process)
        return await self._process.wait()

    async def stop(self) -> None:
        """End it gently, then firmly."""
        self._stopping.set()
        process = self._process
        if process is not None and process.returncode is None:
            await self._end(process)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            log.warning("ProcessKilled", process=self.name, after_seconds=STOP_SECONDS)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
