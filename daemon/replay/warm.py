"""Skills in forks of warm processes: a call costs what the skill does, not what its libraries take to import."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import weakref
from typing import Any

import msgspec

from daemon.errors import RunFailedError, RunLostError
from daemon.executing.child import Folder, answer_of, arguments_of, end_group, environment, kill_group, limited
from daemon.executing.config import ExecutingConfig

Process = subprocess.Popen[bytes]


class WarmSkills:
    """Runs skills as `daemon.executing.child.run` does, with the same limits and the same answers.

    Calls at the same time get a process each; a process is kept for later calls. All end when this object does.

    Args:
        config: the limits.
    """

    def __init__(self, config: ExecutingConfig) -> None:
        self._config = config
        self._idle: list[Process] = []
        self._all: list[Process] = []
        self._own = Folder(config.work / f"warm-{os.getpid()}")
        weakref.finalize(self, _end, self._all)

    async def run(self, skill: str, folder: Folder) -> dict[str, Any]:
        """Run a skill on the question in a prepared folder and return its result.

        Raises:
            RunLostError: the process died without an answer.
            RunFailedError: the skill failed, answered nonsense or took too long.
        """
        # Started here and not in a thread: it would be killed when the thread ends.
        process = self._idle.pop() if self._idle else self._start()
        places = [str(one) for one in (folder.log, folder.pid, folder.work)]
        question = msgspec.json.encode([*places, arguments_of(skill, folder)])
        status: int | None = None
        try:
            status = await asyncio.wait_for(asyncio.to_thread(_ask, process, question), self._config.deadline.seconds)
        except TimeoutError:
            raise RunFailedError("deadline", f"{skill} took longer than {self._config.deadline}") from None
        finally:
            if status is None:
                self._all.remove(process)
                _end([process])
                end_group(folder)
        if status is None:
            raise RunLostError("crashed", f"{skill}: the process to fork from died; its last words are in {self._own.log}")
        self._idle.append(process)
        return answer_of(skill, folder, status)

    def _start(self) -> Process:
        self._own.work.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "daemon.replay.forking", self._config.skills_module]
        with self._own.log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own module
                limited(command, self._own, self._config), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                env=environment(self._own, self._config), cwd=self._own.work, start_new_session=True,
            )  # fmt: skip
        self._all.append(process)
        return process


def _ask(process: Process, question: bytes) -> int | None:
    """Ask a warm process and wait for the exit status of its fork; None when it died itself."""
    if process.stdin is None or process.stdout is None:
        return None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(question + b"\n")
        process.stdin.flush()
    answer = process.stdout.readline()
    return int(answer) if answer else None


def _end(processes: list[Process]) -> None:
    for process in processes:
        kill_group(process.pid)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):  # a question that nobody read is still in the buffer
                    pipe.close()
