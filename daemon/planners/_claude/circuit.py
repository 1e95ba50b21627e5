"""Not asking for a while whoever has failed several times in a row.

Source: Nygard, M. T. (2007), "Release It!", Pragmatic Bookshelf, section 5.2, "Circuit Breaker".
"""

from __future__ import annotations

from streams.runtime.clock import WallClock


class Circuit:
    """Opens after `failures` failures in a row, for `rest_s` seconds; then one trial closes it or opens it again.

    Args:
        failures: in a row.
        rest_s: seconds of the wall clock.
        clock: that clock.
    """

    def __init__(self, failures: int, rest_s: float, clock: WallClock) -> None:
        self._most = failures
        self._rest_s = rest_s
        self._clock = clock
        self._failures = 0
        self._failed_s = 0.0

    @property
    def is_open(self) -> bool:
        """Whether nobody should be asked now."""
        return self._failures >= self._most and self._clock.monotonic() < self._failed_s + self._rest_s

    def note_success(self) -> None:
        """Forget the failures."""
        self._failures = 0

    def note_failure(self) -> None:
        """Count one more; the rest begins now."""
        self._failures += 1
        self._failed_s = self._clock.monotonic()
