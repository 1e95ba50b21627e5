"""One skill as a child process: in its own process group, with limits, a deadline, and an answer by atomic rename."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import psutil

from daemon.errors import RunFailedError, RunLostError
from daemon.executing.config import ExecutingConfig
from daemon.ledger.canonical import plain

_LAUNCH = str(Path(__file__).with_name("launch.py"))
_LARGEST_ANSWER = 16 * 1024 * 1024
_KINDS = frozenset(
    {"bad_input", "no_data", "bad_bundle", "lake", "diverged", "parity_fail", "out_of_memory", "crashed", "failed"}
)


class _Problem(msgspec.Struct):
    kind: str
    message: str = ""


class _Answer(msgspec.Struct):
    ok: bool
    result: dict[str, Any] | None = None
    error: _Problem | None = None


class Folder(NamedTuple):
    """The work folder of one attempt."""

    path: Path

    @property
    def question(self) -> Path:
        """The skill's arguments."""
        return self.path / "input.json"

    @property
    def answer(self) -> Path:
        """The skill's answer: there completely or not at all, the proof that it was done."""
        return self.path / "answer.json"

    @property
    def pid(self) -> Path:
        """Who works here."""
        return self.path / "pid"

    @property
    def log(self) -> Path:
        """What the skill wrote to its standard output and error."""
        return self.path / "skill.log"

    @property
    def work(self) -> Path:
        """Where the skill may write."""
        return self.path / "work"

    def prepare(self, arguments: dict[str, Any]) -> None:
        """Empty the folder and put the question in."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.work.mkdir(parents=True)
        self.question.write_bytes(msgspec.json.encode(arguments))


def read_answer(folder: Folder) -> dict[str, Any] | None:
    """Return the result in a folder, None when there is no answer.

    Raises:
        RunFailedError: the skill said that it failed, or answered nonsense.
    """
    try:
        if folder.answer.stat().st_size > _LARGEST_ANSWER:
            raise RunFailedError("bad_answer", "the answer is too large")
        answer = msgspec.json.decode(folder.answer.read_bytes(), type=_Answer)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise RunFailedError("bad_answer", str(error)) from error
    if answer.ok and answer.result is not None:
        result: dict[str, Any] = plain(answer.result)
        return result
    if answer.error is None:
        raise RunFailedError("bad_answer", "neither result nor error")
    raise RunFailedError(answer.error.kind if answer.error.kind in _KINDS else "failed", answer.error.message[:2_000])


async def run(skill: str, folder: Folder, config: ExecutingConfig) -> dict[str, Any]:
    """Run a skill on the question in a prepared folder and return its result.

    Raises:
        RunLostError: the process died without an answer.
        RunFailedError: the skill failed, answered nonsense or took too long.
    """
    command = [sys.executable, "-m", config.skills_module, *arguments_of(skill, folder)]
    with folder.log.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *limited(command, folder, config),
            stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=environment(folder, config),
            cwd=folder.work, start_new_session=True,
        )  # fmt: skip
    try:
        await asyncio.wait_for(process.wait(), config.deadline.seconds)
    except TimeoutError:
        raise RunFailedError("deadline", f"{skill} took longer than {config.deadline}") from None
    finally:
        kill_group(process.pid)
        await process.wait()
    return answer_of(skill, folder, process.returncode)


def arguments_of(skill: str, folder: Folder) -> list[str]:
    """Return the arguments of `python -m skills` for the question in a folder."""
    return [skill, "--input", str(folder.question), "--output", str(folder.answer), "--work", str(folder.work)]


def limited(command: Sequence[str], folder: Folder, config: ExecutingConfig) -> list[str]:
    """Return the command that becomes `command` inside the limits, ends with this process and leaves its pid in the folder."""
    limits = [str(os.getpid()), str(folder.pid), str(config.memory_mb * 1024 * 1024)]
    return [sys.executable, "-I", "-S", _LAUNCH, *limits, *command]


def end_orphan(folder: Folder, module: str) -> bool:
    """Kill what a dead daemon left running in a folder; true when there was something."""
    try:
        process = psutil.Process(int(folder.pid.read_text()))
        ours = module in process.cmdline() and Path(process.cwd()) == folder.work.resolve()
    except (OSError, ValueError, psutil.Error):
        return False
    if ours:
        kill_group(process.pid)
        with contextlib.suppress(psutil.Error):
            process.wait(10)
    return ours


def answer_of(skill: str, folder: Folder, code: int | None) -> dict[str, Any]:
    """Return the result in a folder after its process ended with an exit status, negative for a signal.

    Raises:
        RunLostError: there is no answer.
        RunFailedError: the skill said that it failed, or answered nonsense.
    """
    result = read_answer(folder)
    if result is not None:
        return result
    kind: Literal["out_of_memory", "crashed"] = "out_of_memory" if code == -signal.SIGKILL else "crashed"
    raise RunLostError(kind, f"{skill} died without an answer, exit status {code}; its last words are in {folder.log}")


def end_group(folder: Folder) -> None:
    """Kill what was left running in a folder by a process of its own group that has no parent any more."""
    with contextlib.suppress(OSError, ValueError):
        kill_group(int(folder.pid.read_text()))


def kill_group(pid: int) -> None:
    """Kill a process and what it started, if it is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def environment(folder: Folder, config: ExecutingConfig) -> dict[str, str]:
    """Return all that a skill sees of the environment."""
    threads = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), str(config.threads)
    )
    base = {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(folder.work), "TMPDIR": str(folder.work), "PYTHONHASHSEED": "0"}
    path = {"PYTHONPATH": os.pathsep.join(config.python_path)} if config.python_path else {}
    return base | threads | path | config.environment
