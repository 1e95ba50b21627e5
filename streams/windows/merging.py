"""Large merges of facts, done beside the reads: in another thread it takes half a second that nobody has to wait for."""

from __future__ import annotations

from collections.abc import Callable

from streams.windows.runs import Run, Runs


class Merge:
    """Two runs that are to become one. Runs never change, so that it is made in any thread while the state goes on.

    Args:
        runs: where they lie.
        below: the older one.
        above: the one next to it.
        warm: makes what reads need of a run.
    """

    def __init__(self, runs: Runs, below: Run, above: Run, warm: Callable[[Run], None]) -> None:
        self._runs = runs
        self._below = below
        self._above = above
        self._warm = warm
        self._made: Run | None = None

    def make(self) -> None:
        """Do the work, in any thread."""
        made = self._below.merged(self._above)
        self._warm(made)
        self._made = made

    def settle(self) -> None:
        """Put what was made in place of both, where the state is used; nothing if they were swept out since."""
        if self._made is not None:
            self._runs.replace(self._below, self._above, self._made)
