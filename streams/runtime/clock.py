"""The two clocks. Statistics, cool-downs, delays and probation go by event time; leases and deadlines by the wall."""

from __future__ import annotations

import datetime as dt
import time
from typing import Protocol


class WallClock(Protocol):
    """Real time, for leases, heartbeats, deadlines, tokens and approvals. Injected, so that tests can set it."""

    def now(self) -> dt.datetime:
        """Return the time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> dt.datetime:
        """Return the time, aware, in UTC."""
        return dt.datetime.now(dt.UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()


class EventClock:
    """Event time as a watermark says it. It never goes back; `now_ms` is -1 before the first watermark."""

    def __init__(self, now_ms: int = -1) -> None:
        self._now_ms = now_ms

    @property
    def now_ms(self) -> int:
        """The newest watermark, in epoch milliseconds."""
        return self._now_ms

    def advance(self, watermark_ms: int) -> None:
        """Move forward; an earlier time is ignored."""
        self._now_ms = max(self._now_ms, watermark_ms)


def text_of(milliseconds: int) -> str:
    """Write epoch milliseconds as ISO 8601 in UTC, seconds resolution."""
    return dt.datetime.fromtimestamp(milliseconds / 1_000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
