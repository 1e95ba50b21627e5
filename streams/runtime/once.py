"""A file that is written once, by whichever process comes first."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_once(file: Path, content: bytes) -> None:
    """Write a file, readable by its owner only, that appears whole, or not at all when it is there already.

    Raises:
        FileExistsError: it is there.
    """
    descriptor, part = tempfile.mkstemp(dir=file.parent)  # readable by its owner only
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
        os.link(part, file)
    finally:
        Path(part).unlink()
