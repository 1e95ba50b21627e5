"""A process that owns an embedded broker, says so, and waits to be killed: `python -m tests.kit.broker_parent FOLDER`."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import psutil

from streams.transport.broker import EmbeddedBroker


async def _main(folder: str) -> None:
    async with EmbeddedBroker(Path(folder)) as broker:
        java = psutil.Process(broker.pid).children()
        sys.stdout.write(json.dumps({"bootstrap": broker.bootstrap, "java": [process.pid for process in java]}) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
