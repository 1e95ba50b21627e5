"""Feeds made in a process of their own: folding a month of facts takes Python's lock, and answering needs it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from streams.contracts.errors import BackfillError
from streams.serving.config import ServedModel
from streams.serving.rebuilding import Progress, Wanted
from streams.serving.remembering import Remembered, SnapshotFile
from streams.windows.snapshots import draft_of

_COMMAND = (sys.executable, "-m", "streams.rebuild")
_LESS_URGENT = 10  # a tenth of a core that others want


class Question(msgspec.Struct, kw_only=True):
    """What the process is asked on its standard input, in one line; it answers with a share of the facts a line, and its end.

    It also ends with its standard input: who asked is gone then.

    `path` is where the snapshot goes, `lake` where the archive lies; None: there is none.
    """

    bootstrap: str
    lake: str | None
    model: ServedModel
    wanted: Wanted
    path: str


class Elsewhere:
    """Has feeds rebuilt, one at a time.

    Args:
        model: what is served.
        bootstrap: `host:port` of the broker.
        lake: the archive's folder or URL; None: there is none.
        path: the file that it leaves for a moment.
    """

    def __init__(self, model: ServedModel, *, bootstrap: str, lake: str | None, path: Path) -> None:
        self._model = model
        self._bootstrap = bootstrap
        self._lake = lake
        self._path = path

    async def rebuild(self, wanted: Wanted, progress: Progress) -> Remembered | None:
        """Have a feed rebuilt, and return what it held; None when that is of no use.

        Raises:
            BackfillError: the process failed.
        """
        path, model = self._path, self._model
        # What protects requests isn't needed for reading what is protected by now.
        plain = model._replace(protection=None)
        question = Question(bootstrap=self._bootstrap, lake=self._lake, model=plain, wanted=wanted, path=str(path))
        try:
            await self._ask(question, progress)
            return await asyncio.to_thread(SnapshotFile(path, model.schema, model.skew_ms).read, wanted.specs)
        except OSError as error:
            raise BackfillError(f"{model.name}: rebuilding windows: {error}") from error
        finally:
            for left in (path, draft_of(path)):
                left.unlink(missing_ok=True)

    async def _ask(self, question: Question, progress: Progress) -> None:
        process = await asyncio.create_subprocess_exec(*_COMMAND, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        try:
            os.setpriority(os.PRIO_PROCESS, process.pid, max(_LESS_URGENT, os.getpriority(os.PRIO_PROCESS, 0)))
            await self._follow(process, question, progress)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _follow(self, process: asyncio.subprocess.Process, question: Question, progress: Progress) -> None:
        if process.stdin is None or process.stdout is None:
            return
        process.stdin.write(msgspec.json.encode(question) + b"\n")
        said = b""
        async for line in process.stdout:
            said = line
            if not line.startswith(b'"'):
                await progress(msgspec.json.decode(line, type=float))
        status = await process.wait()
        if status:
            reason = msgspec.json.decode(said) if said.startswith(b'"') else f"it ended with status {status}"
            raise BackfillError(f"{self._model.name}: rebuilding windows: {reason}")
