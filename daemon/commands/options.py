"""What the commands of the command line share: options, exit statuses, reading the config, the screen."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.commands.errors import BadInputError

if TYPE_CHECKING:
    from daemon.commands.screen import Screen
    from daemon.settings import DaemonSettings

FAILED = 1
BAD_INPUT = 2
DEFAULT_CONFIG = Path("driftwake.yaml")

Config = Annotated[Path, typer.Option("--config", "-c", help="The config file.")]
ConfigFile = Annotated[Path, typer.Argument(help="The config file.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON, for other programs.")]
Model = Annotated[str, typer.Argument(help="The model.")]
SourceFiles = Annotated[
    list[str] | None,
    typer.Option("--source", metavar="NAME=FILE", help="A parquet file of a source's records, with the same time column."),
]
OnlyModel = Annotated[str | None, typer.Option("--model", "-m", help="Only this model.")]
Url = Annotated[str | None, typer.Option("--url", help="Of a daemon that runs elsewhere; no config is read then.")]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", help="A file that holds your token; else DRIFTWAKE_TOKEN, or the machine's own.")
]


def files_of(given: Sequence[str]) -> dict[str, Path]:
    """Return the files of sources by name, each written as `name=file`.

    Raises:
        BadInputError: one isn't.
    """
    pairs = [one.partition("=") for one in given]
    if wrong := next((one for one, (name, _, file) in zip(given, pairs, strict=True) if not (name and file)), None):
        raise BadInputError(f"--source {wrong}: say whose records a file holds, as --source weather=weather.parquet does")
    return {name: Path(file) for name, _, file in pairs}


def screen() -> Screen:
    """Return the terminal."""
    from daemon.commands.screen import Screen

    return Screen()


def notes() -> Screen:
    """Return where a command says how far it is, apart from its answer."""
    from daemon.commands.screen import Screen

    return Screen(sys.stderr)


def settings_in(file: Path) -> DaemonSettings:
    """Load and check the config.

    Raises:
        ConfigError: with every finding.
    """
    from daemon.commands.configuring import load_config

    return load_config(file).settings
