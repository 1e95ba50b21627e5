"""A bundle tried in a process of its own, before a worker holds it: what ends that process, or hangs it, harms nobody.

A bundle comes from elsewhere. It is checked (`checks.py`), opened and asked its golden rows here under limits of memory and time.
Parsing and checking a large file also hold the interpreter lock (about 5 ms for each MB, measured); here that is nobody's loss.

`python -m streams.inference.trial REGISTRY MODEL DIGEST` ends with 0, or with 1 and the reason for the refusal on its output.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

from streams.contracts.errors import BundleRefused
from streams.inference.session import load
from streams.inference.store import BundleStore

SECONDS = 120
MEMORY_BYTES = 8 << 30
_REFUSED = 1
_LESS_URGENT = 10  # a tenth of a core that others want; with 19 a busy machine would end it by the clock


def try_bundle(store: BundleStore, model: str, digest: str) -> None:
    """Try a bundle; it returns when it could be trusted to serve. Blocking, about a second: call it in a thread.

    Raises:
        BundleRefused: it can't be trusted, it ended the process, or it took too long.
    """
    store.path(model, digest)  # refuses what isn't a name or a digest, before it becomes an argument
    command = [sys.executable, "-m", "streams.inference.trial", str(store.root), model, digest]
    with subprocess.Popen(  # noqa: S603 - our own module, without a shell
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        # Nobody waits for it, and who is asked meanwhile shouldn't notice.
        os.setpriority(os.PRIO_PROCESS, process.pid, max(_LESS_URGENT, os.getpriority(os.PRIO_PROCESS, 0)))
        try:
            said, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise BundleRefused(f"trial: no answer within {SECONDS} s") from None
    if process.returncode == _REFUSED and said:
        raise BundleRefused(said.strip())
    if process.returncode != 0:
        raise BundleRefused(f"trial: the process that tried it {_end(process.returncode)}")


def _end(status: int) -> str:
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"failed with status {status}"


def main(registry: str, model: str, digest: str) -> int:
    """Be the process."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    try:
        load(BundleStore(Path(registry)), model, digest)
    except BundleRefused as error:
        sys.stdout.write(str(error))
        return _REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
