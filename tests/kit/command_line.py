"""What the tests of the command line share."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Answer(NamedTuple):
    code: int
    out: str
    err: str


class Place(NamedTuple):
    """A config, and what it leads to."""

    config: Path
    folder: Path
    incident: str
    plan: str


Run = Callable[..., Answer]
