"""How often an address may come with a token that is nobody's, in a time."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

from streams.runtime.clock import WallClock

MOST: Final = 20
SECONDS: Final = 60.0
_MOST_ADDRESSES: Final = 1_000


class Attempts:
    """Counts what failed, by address.

    A token that is good is never refused for others' failures: behind something that ends TLS all callers have one address, and
    anybody could lock everybody out. A token has 256 random bits, so nobody guesses it at any rate; what is limited is the work
    and the log lines that a failure costs.

    Args:
        wall: the clock.
        most: failures of one address that are looked at in `seconds`.
        seconds: the time.
    """

    def __init__(self, wall: WallClock, most: int = MOST, seconds: float = SECONDS) -> None:
        self._wall = wall
        self._most = most
        self._seconds = seconds
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def fail(self, address: str) -> float:
        """Count a failure; return 0 while there were few, otherwise after how many seconds one is looked at again."""
        now = self._wall.monotonic()
        failed = self._failed.setdefault(address, deque(maxlen=self._most))
        self._failed.move_to_end(address)
        if len(self._failed) > _MOST_ADDRESSES:
            self._failed.popitem(last=False)
        while failed and failed[0] <= now - self._seconds:
            failed.popleft()
        if len(failed) == self._most:
            return failed[0] + self._seconds - now
        failed.append(now)
        return 0.0
