"""What large runs of facts need, done beside the reads: in another thread it takes half a second that nobody has to wait for."""

from __future__ import annotations

from collections.abc import Callable

from streams.windows.runs import Run, Runs


class Upkeep:
    """Neighbouring runs that are to become one. Runs never change, so that it is made in any thread while the state goes on.

    While it is made, the old runs and what reads need of them stay beside the new.

    Args:
        runs: where they lie.
        old: which.
        make: makes one of them.
        warm: makes what reads need of a run.
    """

    def __init__(self, runs: Runs, old: tuple[Run, ...], make: Callable[[], Run], warm: Callable[[Run], None]) -> None:
        self._runs = runs
        self._old = old
        self._make = make
        self._warm = warm
        self._made: Run | None = None

    def make(self) -> None:
        """Do the work, in any thread."""
        made = self._make()
        self._warm(made)
        self._made = made

    def settle(self) -> None:
        """Put what was made in place of the old, where the state is used; nothing if they were swept out since."""
        if self._made is not None:
            self._runs.replace(self._old, self._made)
