"""How far a long run is, told line by line while it goes on."""

from __future__ import annotations

from pathlib import Path

PROGRESS = "progress.txt"
"""The file in a run's work folder that whoever waits for it may read."""


class Progress:
    """Writes lines to a file of the work folder; one of an earlier run is gone.

    Args:
        work: the work folder.
    """

    def __init__(self, work: Path) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self._file = work / PROGRESS
        self._file.write_text("", encoding="utf-8")

    def say(self, text: str) -> None:
        """Write one line."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
