"""The daemon's next training is killed, once, when it appears; those that a policy asked for are spared."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import psutil

from daemon.running import CONTROL_PLANE
from tests.bench.closed_loop.faults.base import Ground

KIND = "training_killed"
_LOOK_SECONDS = 0.1


async def happen(ground: Ground) -> None:
    """Wait for a training and kill it. Only what runs below a daemon that runs below this process is ever looked at."""
    command = ["-m", ground.settings.executing_config().skills_module, "train_xgboost"]
    while not await asyncio.to_thread(kill_first, command):  # noqa: ASYNC110 - no event tells of another process's child
        await asyncio.sleep(_LOOK_SECONDS)


def kill_first(command: list[str]) -> bool:
    """Kill the first process below a daemon of this process whose command line is Python's and begins like that; say whether."""
    for daemon in _below(psutil.Process(), ["-m", CONTROL_PLANE]):
        for training in _below(daemon, command):
            with contextlib.suppress(psutil.Error):
                training.kill()
                return True
    return False


def _below(process: psutil.Process, command: list[str]) -> Iterator[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        for child in process.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if child.cmdline()[1 : 1 + len(command)] == command:
                    yield child
