"""The broker's jars: pinned by version and SHA-256, fetched once by Maven coordinates, kept in the user's cache."""

from __future__ import annotations

import hashlib
import importlib.resources
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from jgo.maven import MavenContext

from streams.contracts.errors import BrokerError
from streams.runtime.config import environment

KAFKA_VERSION = "4.1.1"
_PINS = "kafka.sha256"


class Jar(NamedTuple):
    """One pinned jar: its digest, its size in bytes and its coordinate `group:artifact:version`."""

    sha256: str
    size: int
    coordinate: str

    @property
    def file_name(self) -> str:
        """The name under which the cache keeps it."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def pinned() -> list[Jar]:
    """Read the pins that are part of this package; the class path has their order."""
    lines = importlib.resources.files(__package__).joinpath(_PINS).read_text("ascii").splitlines()
    return [Jar(digest, int(size), coordinate) for digest, size, coordinate in (line.split() for line in lines)]


def cache_folder(variables: Mapping[str, str] | None = None) -> Path:
    """Name the folder that keeps the jars: `$XDG_CACHE_HOME/driftwake/kafka-...`, or below `~/.cache`."""
    variables = environment() if variables is None else variables
    base = variables.get("XDG_CACHE_HOME", "")
    # The XDG rule: a path that isn't absolute is ignored.
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return root / "driftwake" / f"kafka-{KAFKA_VERSION}"


def class_path(folder: Path) -> list[Path]:
    """Return the jars in `folder`, fetching them first when they aren't there.

    What is there was checked against its digest before it came there; later only names and sizes are looked at.

    Raises:
        BrokerError: they can't be fetched, or a digest isn't the pinned one.
    """
    jars = pinned()
    if not all(_is_there(folder, jar) for jar in jars):
        _fill(folder, jars)
    return [folder / jar.file_name for jar in jars]


def _is_there(folder: Path, jar: Jar) -> bool:
    file = folder / jar.file_name
    return file.is_file() and file.stat().st_size == jar.size


def _fill(folder: Path, jars: list[Jar]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder.parent) as work:
        context = MavenContext(repo_cache=Path(work))
        for jar in jars:
            if not _is_there(folder, jar):
                fetched = _checked(_fetch(context, jar), jar)
                # Same file system, so a reader sees the whole file or none.
                shutil.move(fetched, folder / jar.file_name)


def _fetch(context: MavenContext, jar: Jar) -> Path:
    group, artifact, version = jar.coordinate.split(":")
    try:
        return Path(context.project(group, artifact).at_version(version).artifact().resolve())
    except Exception as error:
        raise BrokerError(
            f"the embedded broker needs {jar.coordinate} once from a Maven repository, and it could not be fetched "
            f"({error}). Connect this machine, fill {cache_folder()} from one that has it, or set broker.bootstrap"
        ) from error


def _checked(file: Path, jar: Jar) -> Path:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if digest != jar.sha256:
        raise BrokerError(f"{jar.coordinate} was fetched with SHA-256 {digest}, pinned is {jar.sha256}: it was not kept")
    return file
