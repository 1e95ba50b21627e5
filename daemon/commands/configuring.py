"""`driftwake config`: check it, explain it, give its schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from daemon.settings import DaemonSettings
from streams.runtime.config import Loaded, Setting, explain, load


def load_config(file: Path) -> Loaded[DaemonSettings]:
    """Load and check the whole config.

    Raises:
        ConfigError: with every finding.
    """
    return load(DaemonSettings, file)


def explain_config(file: Path) -> list[Setting]:
    """List every setting, its value, where that came from and why it is there.

    Raises:
        ConfigError: with every finding.
    """
    return explain(load_config(file))


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of a config file, for editors."""
    return DaemonSettings.model_json_schema(by_alias=True)
