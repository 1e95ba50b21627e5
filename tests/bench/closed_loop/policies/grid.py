"""Ends of days and weeks, counted from the data's epoch, each reported once."""

from __future__ import annotations

from tests.bench.closed_loop.policies.base import World


class Grid:
    """Multiples of a period after the epoch, from the start of the replay on.

    Args:
        world: where the epoch and the start are.
        period_ms: distance of two points, milliseconds.
    """

    def __init__(self, world: World, period_ms: int) -> None:
        self._period_ms = period_ms
        self._next_ms = world.epoch_ms - (world.epoch_ms - world.start_ms) // period_ms * period_ms

    def passed(self, time_ms: int) -> int | None:
        """Return the newest point that was reached since the last call, in epoch ms; None when there is none."""
        if time_ms < self._next_ms:
            return None
        point_ms = self._next_ms + (time_ms - self._next_ms) // self._period_ms * self._period_ms
        self._next_ms = point_ms + self._period_ms
        return point_ms
