"""The API key: from a file or the environment, passed on explicitly and written down nowhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from daemon.planners._claude.config import ClaudeConfig

_KEY: Final = re.compile(r"[\x21-\x7e]{1,512}")


def key_in(config: ClaudeConfig, variables: Mapping[str, str]) -> str | None:
    """Return the key, None where there is none or what is there can't be one.

    Args:
        config: names the file and the variable.
        variables: the environment.
    """
    found = _text_of(config.key_file) if config.key_file is not None else variables.get(config.key_variable, "")
    key = found.strip()
    return key if _KEY.fullmatch(key) is not None else None


def _text_of(file: Path) -> str:
    try:
        return file.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return ""
