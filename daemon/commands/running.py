"""`driftwake broker`: the embedded Kafka alone."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from daemon.commands.screen import Screen
from streams.transport.broker import run_broker


def broker_alone(folder: Path, port: int | None, screen: Screen) -> None:
    """Run the embedded broker until the process is told to stop, and say where it listens.

    Raises:
        BrokerError: it can't be started, or died.
    """
    asyncio.run(_run(folder, port, screen))


async def _run(folder: Path, port: int | None, screen: Screen) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    await run_broker(folder, port, stopping, lambda bootstrap: screen.line(f"Kafka listens on {bootstrap}; Ctrl-C stops it"))
