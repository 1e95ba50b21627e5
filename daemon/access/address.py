"""Where a running daemon is found: a file under `data_dir` that names its URL and its process.

A daemon that was killed leaves its file behind, and somebody else may listen on that port by now. So the file is only believed
while the process that wrote it lives: no token goes to a stranger.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

import msgspec
import psutil

ADDRESS_FILE: Final = "daemon.address"
_SAME_SECONDS: Final = 2.0
_LARGEST_BYTES: Final = 4_096


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A daemon's URL, and its process: id, and when it was started (seconds of the epoch, as the system counts them)."""

    url: str
    pid: int
    started: float


def write_address(data_dir: Path, url: str) -> None:
    """Say where this process listens; the file is readable by its owner only and appears whole."""
    data_dir.mkdir(parents=True, exist_ok=True)
    address = Address(url=url, pid=os.getpid(), started=psutil.Process().create_time())
    descriptor, part = tempfile.mkstemp(dir=data_dir)  # readable by its owner only
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(msgspec.json.encode(address))
    Path(part).replace(data_dir / ADDRESS_FILE)


def read_address(data_dir: Path) -> str | None:
    """Return the URL of the daemon that runs with a data directory, None when none does."""
    found = _read(data_dir)
    return found.url if found is not None and _lives(found) else None


def remove_address(data_dir: Path) -> None:
    """Remove the file at the end, unless another process has written it since."""
    found = _read(data_dir)
    if found is not None and found.pid == os.getpid():
        (data_dir / ADDRESS_FILE).unlink(missing_ok=True)


def _read(data_dir: Path) -> Address | None:
    try:
        with (data_dir / ADDRESS_FILE).open("rb") as opened:
            return msgspec.json.decode(opened.read(_LARGEST_BYTES), type=Address)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _lives(address: Address) -> bool:
    try:
        return abs(psutil.Process(address.pid).create_time() - address.started) < _SAME_SECONDS
    except (psutil.Error, ValueError, OverflowError):
        return False
