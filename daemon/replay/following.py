"""Following a skill that is called by hand: the lines in which it says how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from daemon.errors import DaemonError

Tell = Callable[[str], None]
EVERY_SECONDS = 0.3


async def followed(run: Awaitable[dict[str, Any]], file: Path, tell: Tell) -> dict[str, Any]:
    """Wait for a run, tell each whole line of a file as it comes, and return what the run gave.

    Raises:
        DaemonError: the run failed; all lines were told before.
    """
    lines, found, failure = _Lines(file), dict[str, Any](), None
    async with asyncio.TaskGroup() as group:
        follower = group.create_task(_follow(lines, tell))
        try:
            found = await run
        except DaemonError as error:
            # Raised here it would come out of the group as one of several.
            failure = error
        follower.cancel()
    lines.tell(tell)
    if failure is not None:
        raise failure
    return found


async def _follow(lines: _Lines, tell: Tell) -> None:
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        lines.tell(tell)


class _Lines:
    """The lines of a file that grows, each once. There may be no file yet."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._told = 0

    def tell(self, tell: Tell) -> None:
        """Tell the whole lines that are new."""
        try:
            with self._file.open("rb") as file:
                file.seek(self._told)
                fresh = file.read()
        except OSError:
            return
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._told += len(whole)
        for line in whole.decode("utf-8", errors="replace").splitlines():
            tell(line)
