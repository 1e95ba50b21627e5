"""`driftwake skill`: run one skill by hand, as the daemon would."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from daemon.commands.errors import BadInputError
from skills._kit.skill import find, names
from streams.contracts.errors import StreamsError


class SkillLine(NamedTuple):
    """One skill, for the list."""

    name: str
    summary: str


def list_skills() -> list[SkillLine]:
    """List all skills with what they do."""
    return [SkillLine(name, find(name).SPEC.summary) for name in names()]


def run_skill(name: str, arguments: Path, work: Path | None) -> dict[str, Any]:
    """Run a skill in a child process and return its answer (`ok`, and `result` or `error`).

    Args:
        name: the skill.
        arguments: a JSON file with its arguments.
        work: its work folder; None stands for a temporary one.

    Raises:
        BadInputError: there is no such skill, or no such file.
        StreamsError: the process died without an answer.
    """
    if name not in names():
        raise BadInputError(f"no skill {name!r}; there are: {', '.join(names())}")
    if not arguments.is_file():
        raise BadInputError(f"{arguments}: no such file; give the skill's arguments as a JSON file")
    with tempfile.TemporaryDirectory(prefix="driftwake-skill-") as scratch:
        output = Path(scratch) / "answer.json"
        command = [sys.executable, "-m", "skills", name, "--input", str(arguments), "--output", str(output)]
        done = subprocess.run([*command, "--work", str(work or Path(scratch) / "work")], check=False)  # noqa: S603 - our own module
        if not output.is_file():
            raise StreamsError(f"skill {name} ended with status {done.returncode} and left no answer; see what it wrote above")
        answer: dict[str, Any] = msgspec.json.decode(output.read_bytes())
    return answer
