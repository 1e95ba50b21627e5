"""Running a module of the bench with the other tools' Python."""

from __future__ import annotations

import subprocess
from pathlib import Path

# Some tools would tell their makers what they are used for.
_QUIET = ("env", "NML_DISABLE_USAGE_LOGGING=1", "DO_NOT_TRACK=1", "OMP_NUM_THREADS=1", "TF_CPP_MIN_LOG_LEVEL=3")


def run_there(python: Path, module: str, *arguments: object) -> None:
    """Run a module and wait for it.

    Raises:
        CalledProcessError: it failed; what it printed says why.
    """
    command = [*_QUIET, str(python), "-m", module, *map(str, arguments)]
    subprocess.run(command, check=True)  # noqa: S603 - our own module; no shell reads the arguments
