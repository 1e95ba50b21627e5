"""Retrain at the end of every day."""

from __future__ import annotations

from tests.bench.closed_loop.policies.base import DAY_MS, Moment, Retrain, World
from tests.bench.closed_loop.policies.grid import Grid
from tests.bench.closed_loop.policies.trailing import trailing


class Daily:
    """Trains on the trailing window as it is at the end of the day.

    Args:
        world: what it plays in.
    """

    name = "daily"
    who = "retrains every day on the newest 35 days whose labels are known"

    def __init__(self, world: World) -> None:
        self._world = world
        self._days = Grid(world, DAY_MS)

    def decide(self, moment: Moment) -> Retrain | None:
        """Ask when a day has ended."""
        day_ms = self._days.passed(moment.time_ms)
        return None if day_ms is None else trailing(self._world, day_ms, "a day is over")
