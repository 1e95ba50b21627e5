"""Retrain at the end of every week."""

from __future__ import annotations

from tests.bench.closed_loop.policies.base import WEEK_MS, Moment, Retrain, World
from tests.bench.closed_loop.policies.grid import Grid
from tests.bench.closed_loop.policies.trailing import trailing


class Weekly:
    """Trains on the trailing window as it is at the end of the week; weeks count from the epoch.

    Args:
        world: what it plays in.
    """

    name = "weekly"
    who = "retrains every week on the newest 35 days whose labels are known"

    def __init__(self, world: World) -> None:
        self._world = world
        self._weeks = Grid(world, WEEK_MS)

    def decide(self, moment: Moment) -> Retrain | None:
        """Ask when a week has ended."""
        week_ms = self._weeks.passed(moment.time_ms)
        return None if week_ms is None else trailing(self._world, week_ms, "a week is over")
