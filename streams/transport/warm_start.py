"""Make the cache with which the embedded broker starts in half the time: `python -m streams.transport.warm_start`.

The virtual machine keeps the classes that a broker loads while it starts, and writes them down as it ends (JEP 483 and 514). That
takes ten seconds, once for each version of Kafka and of the virtual machine; without the cache a broker starts all the same.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from streams.transport import broker
from streams.transport.jars import cache_folder


async def make(cache: Path) -> None:
    """Start a broker, and stop it; without effect where the cache is there.

    Raises:
        BrokerError: it doesn't start.
    """
    file = broker.classes_file(cache)
    if file.is_file():
        return
    with tempfile.TemporaryDirectory(prefix="driftwake-warm-start-", dir=_made(cache)) as folder:
        written = Path(folder) / file.name
        async with broker.EmbeddedBroker(Path(folder) / "broker", cache=cache, options=[f"-XX:AOTCacheOutput={written}"]):
            pass
        if written.is_file():
            written.replace(file)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    asyncio.run(make(cache_folder()))
