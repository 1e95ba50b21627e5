"""A warm process that runs skills in forks of itself: `python -m daemon.replay.forking SKILLS_MODULE`.

Each line of standard input is a question, a JSON array of a log file, a pid file, a work folder and the arguments of
`python -m SKILLS_MODULE`, the skill's name first; its answer is a line with the exit status, negative for a signal. One question
at a time. A skill's module, and with it the libraries that it needs, is imported once, before the first fork that runs it. The
process ends when standard input does, and is killed, as its fork is, when the process that started it ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import signal
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from daemon.executing.launch import die_with_parent, leave_pid

_PR_SET_NAME = 15
# Skills import these when they need them, which here is in nearly every fork; they take up to a quarter of a second each.
_LATE = ("pyarrow.dataset", "onnxmltools.convert.xgboost")


def main() -> None:
    """Answer questions."""
    (module,) = sys.argv[1:]
    for line in sys.stdin:
        log, pid_file, work, arguments = json.loads(line)
        # What can't be imported is told by the fork, in the skill's own words.
        for name in (f"{module}.{arguments[0]}", *_LATE):
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        # A fork that collects garbage would copy every page that it looks at.
        gc.collect()
        gc.freeze()
        server = os.getpid()
        pid = os.fork()
        if not pid:
            die_with_parent(server)
            _run(module, arguments, log=log, pid_file=Path(pid_file), work=work)
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)  # what the skill left running
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _run(module: str, arguments: list[str], *, log: str, pid_file: Path, work: str) -> NoReturn:
    """Do what `python -m MODULE ARGUMENTS` does, in this process, and leave it without a way back."""
    status = 1
    try:
        os.setsid()
        leave_pid(pid_file)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_NAME, arguments[0].encode())  # for people who look at processes
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(work)
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:  # noqa: BLE001 - whatever it was, the log says it and the status tells
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
