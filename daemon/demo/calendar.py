"""The demo's months: March to August 2013 by New York's calendar, in UTC milliseconds."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple
from zoneinfo import ZoneInfo

_ZONE = ZoneInfo("America/New_York")
_YEAR, _FIRST, _LAST = 2013, 3, 8
DAY_MS = 86_400_000
# After the last request labels still come: the longest flight is known 33 hours after its schedule.
LABELS_AFTER_MS = 2 * DAY_MS


class Month(NamedTuple):
    """One month, [start, end)."""

    label: str
    start_ms: int
    end_ms: int


def months() -> tuple[Month, ...]:
    """Return March to August."""
    starts = [dt.datetime(_YEAR, month, 1, tzinfo=_ZONE) for month in range(_FIRST, _LAST + 2)]
    edges = [int(start.timestamp() * 1_000) for start in starts]
    return tuple(Month(f"{start:%B}", edges[i], edges[i + 1]) for i, start in enumerate(starts[:-1]))


def stop_ms(end_ms: int) -> int:
    """Return when the replay stops: the first archive boundary behind the last label."""
    return -(-(end_ms + LABELS_AFTER_MS) // DAY_MS) * DAY_MS
