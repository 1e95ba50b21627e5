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
        return self.wanted(moment.time_ms)

    def wanted(self, time_ms: int) -> Retrain | None:
        """Ask when a day has ended: nothing but the time of a moment matters."""
        day_ms = self._days.passed(time_ms)
        return None if day_ms is None else trailing(self._world, day_ms, "a day is over")


def times_asked(world: World, until_ms: int, bucket_ms: int) -> int:
    """Count how often the policy would train at the ends of a replay's buckets: what it costs, without playing it."""
    daily = Daily(world)
    ends = range(world.start_ms + bucket_ms, until_ms + bucket_ms, bucket_ms)
    return sum(daily.wanted(min(end, until_ms)) is not None for end in ends)
