"""The daemon's next training is killed, once, when it appears; those that a policy asked for are spared."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

import psutil

from daemon.running import CONTROL_PLANE
from tests.bench.closed_loop.faults.base import Ground

KIND = "training_killed"
SKILL = "train_xgboost"
_LOOK_SECONDS = 0.1


async def happen(_ground: Ground) -> None:
    """Wait for a training and kill it. Only what runs below a daemon that runs below this process is ever looked at."""
    while not await asyncio.to_thread(kill_first):  # noqa: ASYNC110 - no event tells of another process's child
        await asyncio.sleep(_LOOK_SECONDS)


def kill_first() -> bool:
    """Kill the first training below a daemon of this process; say whether there was one."""
    for daemon in _below(psutil.Process(), _is_daemon):
        for training in _below(daemon, _is_training):
            with contextlib.suppress(psutil.Error):
                training.kill()
                return True
    return False


def _is_daemon(process: psutil.Process) -> bool:
    return process.cmdline()[1:3] == ["-m", CONTROL_PLANE]


def _is_training(process: psutil.Process) -> bool:
    """A process of its own says so in its command line, a fork of a warm one in its name."""
    return process.name() == SKILL or process.cmdline()[3:4] == [SKILL]


def _below(process: psutil.Process, is_wanted: Callable[[psutil.Process], bool]) -> Iterator[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        for child in process.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if is_wanted(child):
                    yield child
