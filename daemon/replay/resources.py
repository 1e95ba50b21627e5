"""How much memory all processes of a replay hold at most, together."""

from __future__ import annotations

import asyncio
import contextlib

import psutil

_EVERY_SECONDS = 1.0


class MemoryWatch:
    """Adds up the resident memory of this process and all below it, once a second.

    Shared pages count once for each process that maps them, so the sum is never too small.
    """

    def __init__(self) -> None:
        self._root = psutil.Process()
        self.peak_bytes = 0
        self.peak_processes = 0

    def look(self) -> None:
        """Take one sample."""
        total, count = 0, 0
        for process in (self._root, *self._root.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
                count += 1
        self.peak_bytes = max(self.peak_bytes, total)
        self.peak_processes = max(self.peak_processes, count)

    async def run(self, stopping: asyncio.Event) -> None:
        """Sample until told to stop."""
        while not stopping.is_set():
            await asyncio.to_thread(self.look)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), _EVERY_SECONDS)
