"""Become a skill, inside its limits: `python launch.py PARENT_PID PID_FILE MEMORY_BYTES COMMAND...`.

Run as a file by an isolated interpreter, because what must happen between the fork and the skill can't safely happen in the
daemon's own process. The child is in a session of its own, dies with the daemon (Linux), and leaves its pid in a file.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Take the limits and become the command."""
    parent, pid_file, memory, *command = sys.argv[1:]
    die_with_parent(int(parent))
    leave_pid(Path(pid_file))
    resource.setrlimit(resource.RLIMIT_DATA, (int(memory), int(memory)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.execv(command[0], command)  # noqa: S606 - the command is the daemon's own, not a shell's


def leave_pid(file: Path) -> None:
    """Write this process's id into a file, all of it or nothing."""
    part = file.with_suffix(".part")
    part.write_text(str(os.getpid()))
    part.replace(file)


def die_with_parent(parent: int) -> None:
    """Have this process killed when `parent` ends (Linux); leave it at once when that has happened already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the process that asked is gone")


if __name__ == "__main__":
    main()
