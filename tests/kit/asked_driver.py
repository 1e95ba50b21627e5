"""Asks Claude about an incident for as long as it lives: `DIR URL`. Somebody ends it while it waits for the answer."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.kit.asked import asked_daemon
from tests.kit.control import START, event


async def main(folder: Path, url: str) -> None:
    async with asked_daemon(folder, url) as daemon:
        daemon.tell(event(START))
        await daemon.service.wait_for_stopped()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
