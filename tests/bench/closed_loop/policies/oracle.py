"""Who knows when the change happens, and trains on rows after it only."""

from __future__ import annotations

from tests.bench.closed_loop.policies.base import Moment, Retrain, World

# SCENARIOS.md says 500 and 2,000. Where one row in a hundred is positive that is too few to learn from (average precision 0.05
# and 0.09 against 0.72 of who never trains), so an oracle goes on, with twice as many each time. Where labels are late, its first
# refits have no rows to validate on, and are refused.
FIRST_REFIT_ROWS, TIMES = 500, 2


class Oracle:
    """Refits when 500, 1,000, 2,000, ... rows from after the onset have their labels; without an onset never.

    A bucket that brings several of these gives one refit.

    Args:
        world: what it plays in.
    """

    name = "oracle"
    who = "knows the moment of the change: refits at 500, 1,000, 2,000, ... labelled rows after it, on these only"

    def __init__(self, world: World) -> None:
        self._world = world
        self._rows = 0
        self._next = FIRST_REFIT_ROWS

    def decide(self, moment: Moment) -> Retrain | None:
        """Ask when enough rows are labelled."""
        onset_ms = self._world.onset_ms
        if onset_ms is None:
            return None
        self._rows += int((moment.matured["time_ms"] >= onset_ms).sum())
        if self._rows < self._next:
            return None
        while self._next * TIMES <= self._rows:
            self._next *= TIMES
        why = f"{self._next} labelled rows after the change"
        self._next *= TIMES
        return Retrain(onset_ms, moment.time_ms, why=why)
