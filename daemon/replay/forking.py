"""A warm process that runs skills in forks of itself: `python -m daemon.replay.forking SKILLS_MODULE IMPORTED...`.

It imports the modules IMPORTED once. Then each line of standard input is a question, a JSON array of a log file, a work folder
and the arguments of `python -m SKILLS_MODULE`; its answer is a line with the exit status, negative for a signal. One question
at a time. It ends when standard input does, and is killed, as its fork is, when the process that started it ends.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import sys
import traceback
from typing import NoReturn

from daemon.executing.launch import die_with_parent


def main() -> None:
    """Import the modules and answer questions."""
    module, *imported = sys.argv[1:]
    for name in imported:
        importlib.import_module(name)
    for line in sys.stdin:
        server = os.getpid()
        pid = os.fork()
        if not pid:
            die_with_parent(server)
            _run(module, *json.loads(line))
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _run(module: str, log: str, work: str, arguments: list[str]) -> NoReturn:
    """Do what `python -m MODULE ARGUMENTS` does, in this process, and leave it without a way back."""
    status = 1
    try:
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
