"""Bundles are tried in a process of their own, before a worker holds them: what ends that process, or hangs it, harms nobody.

A bundle comes from elsewhere. It is checked (`checks.py`), opened and asked its golden rows in a fork under limits of memory and
time. Parsing and checking a large file also hold the interpreter lock (about 5 ms for each MB, measured); here that is nobody's
loss. The forks are of one process that has imported all it takes, which is most of the work.

`python -m streams.inference.trial` reads questions, each a line with a JSON array of the store's folder, the model and the
digest, and answers each with a line that is a JSON string: empty, or the reason for the refusal. It ends when standard input
does, and when nobody asks for a minute.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import NoReturn

from streams.contracts.errors import BundleRefused
from streams.inference.session import load
from streams.inference.store import BundleStore

SECONDS = 120
IDLE_SECONDS = 60
MEMORY_BYTES = 8 << 30
_LESS_URGENT = 10  # a tenth of a core that others want; with 19 a busy machine would end a trial by the clock
_COMMAND = (sys.executable, "-m", "streams.inference.trial")
_MOST_SAID = 4_096


class Trials:
    """Tries bundles, one at a time, for all models of a worker."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def try_bundle(self, store: BundleStore, model: str, digest: str) -> None:
        """Try a bundle; it returns when it could be trusted to serve.

        Blocking, 0.2 s on a busy machine, or a second when nothing was tried for a while: call it in a thread.

        Raises:
            BundleRefused: it can't be trusted, it ended its process, or it took too long.
        """
        store.path(model, digest)  # refuses what isn't a name or a digest, before it becomes an argument
        question = json.dumps([str(store.root), model, digest]).encode() + b"\n"
        with self._lock:
            said = self._ask(question)
            if said is None:  # it had ended, most likely since nobody asked for so long
                said = self._ask(question)
        if said is None:
            raise BundleRefused("trial: the process that tries bundles ended without an answer")
        if said:
            raise BundleRefused(said)

    def close(self) -> None:
        """End the process, and the trial that it may be at; a later trial starts another."""
        process = self._process
        if process is not None:
            _let_go(process)
        with self._lock:
            self._end()

    def _ask(self, question: bytes) -> str | None:
        process = self._process = self._process or _start()
        if process.stdin is None or process.stdout is None:
            return None
        try:
            process.stdin.write(question)
            process.stdin.flush()
            answer = process.stdout.readline()
        except (BrokenPipeError, ValueError):  # it has ended, or was let go
            answer = b""
        if answer:
            return str(json.loads(answer))
        self._end()
        return None

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            _let_go(process)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _let_go(process: subprocess.Popen[bytes]) -> None:
    """Close its standard input: it ends then, and takes a trial with it."""
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):  # a question that nobody read
            process.stdin.close()


def _start() -> subprocess.Popen[bytes]:
    process = subprocess.Popen(  # noqa: S603 - our own module, without a shell
        _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    # Nobody waits for it, and who is asked meanwhile shouldn't notice.
    os.setpriority(os.PRIO_PROCESS, process.pid, max(_LESS_URGENT, os.getpriority(os.PRIO_PROCESS, 0)))
    return process


def main() -> None:
    """Be the process."""
    gc.freeze()  # a fork that collects garbage would copy every page that it looks at
    while select.select([sys.stdin], [], [], IDLE_SECONDS)[0]:
        question = sys.stdin.readline()
        if not question:
            return
        said = _forked(*json.loads(question))
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


def _forked(registry: str, model: str, digest: str) -> str:
    """Try a bundle in a fork; return what is wrong with it, nothing when it could be trusted."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        _try(registry, model, digest, writing)
    os.close(writing)
    # The next to be read from standard input is its end: who asked waits for the answer.
    if reading not in select.select([reading, sys.stdin], [], [])[0]:
        os.kill(pid, signal.SIGKILL)
    said = os.read(reading, _MOST_SAID).decode(errors="replace")
    os.close(reading)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status == -signal.SIGALRM:
        return f"trial: no answer within {SECONDS} s"
    if status < 0:
        return f"trial: the process that tried it was ended by {signal.Signals(-status).name}"
    return f"trial: the process that tried it failed with status {status}" if status else said


def _try(registry: str, model: str, digest: str, writing: int) -> NoReturn:
    """Be the fork."""
    status = 1
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nowhere, number)
        for what, most in (
            (resource.RLIMIT_AS, MEMORY_BYTES),
            (resource.RLIMIT_CPU, SECONDS),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_CORE, 0),
        ):
            resource.setrlimit(what, (most, most))
        signal.alarm(SECONDS)  # ends it, also when it only waits
        try:
            load(BundleStore(Path(registry)), model, digest)
        except BundleRefused as error:
            os.write(writing, str(error).encode()[:_MOST_SAID])
        status = 0
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
