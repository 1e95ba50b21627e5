"""A child process that ends with its parent, also when the parent was killed.

The parent keeps the write end of the child's standard input open and never writes; when it dies, however it dies, the
operating system closes the pipe and the child reads the end of the file.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading

PATIENCE_SECONDS = 30.0


async def wait_until_orphaned() -> None:
    """Return when standard input ends. Call it only in a process started with a pipe as its standard input."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1_024)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while await reader.read(1_024):
            continue
    finally:
        transport.close()


async def end_with_parent(patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for the parent's end, then end this process: gently, and when that takes longer than the patience, at once.

    An embedded broker dies with the same parent, and clients that say goodbye to it would otherwise try for ever. Everything
    durable survives a kill anyway.
    """
    await wait_until_orphaned()
    last_resort = threading.Timer(patience_seconds, os._exit, (1,))
    last_resort.daemon = True
    last_resort.start()
    signal.raise_signal(signal.SIGTERM)
