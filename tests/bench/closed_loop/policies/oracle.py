"""Who knows when the change happens, and trains on rows after it only."""

from __future__ import annotations

from tests.bench.closed_loop.policies.base import Moment, Retrain, World

REFIT_AT_ROWS = (500, 2_000)


class Oracle:
    """Refits when 500 and when 2,000 rows from after the onset have their labels; without an onset never.

    A bucket that brings both gives one refit.

    Args:
        world: what it plays in.
    """

    name = "oracle"
    who = "knows the moment of the change: refits at 500 and at 2,000 labelled rows after it, on these only"

    def __init__(self, world: World) -> None:
        self._world = world
        self._rows = 0

    def decide(self, moment: Moment) -> Retrain | None:
        """Ask when enough rows are labelled."""
        onset_ms = self._world.onset_ms
        if onset_ms is None:
            return None
        before = self._rows
        self._rows += int((moment.matured["time_ms"] >= onset_ms).sum())
        reached = [rows for rows in REFIT_AT_ROWS if before < rows <= self._rows]
        if not reached:
            return None
        return Retrain(onset_ms, moment.time_ms, why=f"{reached[-1]} labelled rows after the change")
