"""What the commands of the command line share: options, exit statuses, reading the config, the screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
OnlyModel = Annotated[str | None, typer.Option("--model", "-m", help="Only this model.")]


def screen() -> Screen:
    """Return the terminal."""
    from daemon.commands.screen import Screen

    return Screen()


def settings_in(file: Path) -> DaemonSettings:
    """Load and check the config.

    Raises:
        ConfigError: with every finding.
    """
    from daemon.commands.configuring import load_config

    return load_config(file).settings
