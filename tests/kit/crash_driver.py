"""Plays a story to its end in a folder, in lives that SIGKILL ends: `DIR STORY PLACE KILLS`.

PLACE is the ledger's URL, or `sqlite` for a file in the folder; KILLS a file of boundaries, one a line: a life is killed at each
of them when it is first reached. A boundary is the moment before or after a commit of the ledger, after a deployment was
published, and after a skill has answered. A life is a forked process, so everything is imported once.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, event

from daemon.executing import child
from daemon.executing.child import Folder
from daemon.ledger.ledger import Ledger, open_ledger
from tests.kit.control import DAY, START, Control
from tests.kit.crash_stories import STORIES
from tests.kit.world import FileWorld

_NEWEST = "SELECT kind, subject, data FROM audit ORDER BY number DESC LIMIT 1"


class Fuse:
    """Kills the process at boundaries, leaving a line for each that is passed.

    Args:
        file: where the lines go.
        kills: boundaries that end a life when they are reached for the first time.
    """

    def __init__(self, file: Path, kills: frozenset[str]) -> None:
        self._file = file
        self._left = kills - set(file.read_text().splitlines() if file.exists() else ())

    def burn(self, boundary: str) -> None:
        with self._file.open("a") as log:
            log.write(f"{boundary}\n")
        if boundary in self._left:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, ledger: Ledger) -> None:
        """Burn also before each commit, when all is written and nothing is sure."""

        @event.listens_for(ledger._engine, "commit")
        def before_commit(connection: Connection) -> None:
            kind, subject, data = connection.exec_driver_sql(_NEWEST).one()
            told = json.loads(data)
            self.burn(f"before {kind} {subject} {told.get('step') or told.get('to') or ''}")


async def run(folder: Path, name: str, place: str, kills: frozenset[str]) -> None:
    story = STORIES[name]
    control = Control(folder, **story.answers)
    fuse = Fuse(folder / "boundaries.log", kills)
    world = FileWorld(folder / "deployments.jsonl", published=lambda one: fuse.burn(f"published {one.generation}"))

    async def answer(skill: str, work: Folder) -> dict[str, Any]:
        try:
            return await child.run(skill, work, control.executing())
        finally:
            fuse.burn(f"answered {work.path.parent.name}")

    with open_ledger(
        folder / "ledger.sqlite" if place == "sqlite" else place, observer=lambda change: fuse.burn(" ".join(change))
    ) as ledger:
        fuse.watch(ledger)
        if not world.history:
            await world.publish(control.first_deployment())
        loop = control.loop(ledger, owner=str(os.getpid()), world=world, run=answer, **story.planning)
        for day in range(story.days):
            now_ms = START + day * DAY
            if now_ms <= world.reported_ms:
                continue
            if day in story.acts:
                story.acts[day](loop, ledger, control)
            await loop.on_watermark(now_ms)


def live(life: Any) -> bool:
    """Run one life in a process of its own; true when it got to the end, false when it was killed."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            asyncio.run(life())
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(pid, 0)[1]
    assert status == 0 or os.WIFSIGNALED(status), "a life ended by an error"
    return status == 0


def main(folder: Path, story: str, place: str, kills: Path) -> None:
    folder.mkdir(parents=True)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    life = partial(run, folder, story, place, frozenset(kills.read_text().splitlines()))
    while not live(life):
        pass


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]))
