"""Run one skill: `python -m skills NAME --input FILE --output FILE --work DIR`.

The input is JSON with the skill's arguments. The output appears by an atomic rename: `{"ok": true, "result": ...}` with exit
status 0, or `{"ok": false, "error": {"kind": ..., "message": ...}}` with exit status 1. A run that dies leaves no output. What a
library said of an error is on standard error alone: it may repeat values of the data.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from skills._kit.errors import InputError, SkillError
from skills._kit.frames import write_atomically
from skills._kit.skill import carry_out, encode_answer, find


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the skill that the command line names; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m skills", description="Run one skill in this process.")
    parser.add_argument("name")
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    asked = parser.parse_args(arguments)
    try:
        result = carry_out(find(asked.name), _read(asked.input), asked.work)
    except SkillError as error:
        if error.__cause__ is not None:
            _unhide(error)
            traceback.print_exception(error)
        write_atomically(asked.output, encode_answer(None, error))
        return 1
    write_atomically(asked.output, encode_answer(result, None))
    return 0


def _unhide(error: BaseException) -> None:
    """Let a traceback show what an error came from though it was raised so that no other log does."""
    found: BaseException | None = error
    while found is not None:
        found.__suppress_context__ = False
        found = found.__cause__ or found.__context__


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"--input: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
