"""Runs one incident from its event to its lesson in a folder, in lives that SIGKILL ends: `DIR MODE`.

A durable change is a commit of the ledger or a published deployment. MODE `once` is one life without a kill; `always` kills
each life at the first change that no life before has reached, until one gets to the end; a number kills the first life at
that change. A life is a forked process, so everything is imported once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

import structlog

from daemon.ledger.ledger import open_ledger
from tests.kit.control import DAY, START, Control, event
from tests.kit.world import FileWorld

DAYS = 30


class Fuse:
    """Kills the process at a boundary, leaving a line for each it passes.

    Args:
        file: where the lines go.
        mode: `once`, `always` or the number of the boundary.
    """

    def __init__(self, file: Path, mode: str) -> None:
        self._file = file
        self._seen = set(file.read_text().splitlines()) if file.exists() else set()
        self._mode = mode
        self._passed = 0

    def burn(self, boundary: str) -> None:
        is_new = boundary not in self._seen
        self._seen.add(boundary)
        self._passed += 1
        with self._file.open("a") as log:
            log.write(f"{boundary}\n")
        if (self._mode == "always" and is_new) or self._mode == str(self._passed):
            os.kill(os.getpid(), signal.SIGKILL)


async def run(folder: Path, mode: str) -> None:
    control = Control(folder)
    fuse = Fuse(folder / "boundaries.log", mode)
    world = FileWorld(folder / "deployments.jsonl", published=lambda one: fuse.burn(f"published {one.generation}"))
    with open_ledger(folder / "ledger.sqlite", observer=lambda change: fuse.burn(" ".join(change))) as ledger:
        if not world.history:
            await world.publish(control.first_deployment())
        loop = control.loop(ledger, owner=str(os.getpid()), world=world)
        for day in range(DAYS):
            now_ms = START + day * DAY
            if now_ms <= world.reported_ms:
                continue
            if day == 1:
                loop.on_event(event(now_ms))
            await loop.on_watermark(now_ms)


def live(folder: Path, mode: str) -> bool:
    """Run one life in a process of its own; true when it got to the end, false when it was killed."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            asyncio.run(run(folder, mode))
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    assert status == 0 or os.WIFSIGNALED(status), "a life ended by an error"
    return status == 0


def main(folder: Path, mode: str) -> None:
    folder.mkdir(parents=True)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    while not live(folder, mode):
        mode = "always" if mode == "always" else "once"


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
