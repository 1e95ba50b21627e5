"""What days and hours alone do to columns: a Sunday isn't like the week, and nothing has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from skills._kit.frames import Booleans, Floats, floats, integers
from skills._kit.shifts import Shift, number_shares
from streams.contracts.bundle import Profile
from streams.statistics.calendar import DAY_MS, DAYS
from streams.statistics.distances import psi

WEEK_MS = DAYS * DAY_MS


def calendar_psi(profile: Profile, earlier: Sequence[pa.Table], since_ms: int, until_ms: int) -> dict[str, float]:
    """Return by number how far the same days and hours of earlier weeks lie from those weeks, by PSI.

    It goes by whole weeks before `since_ms`, and is empty where there is none, or where the stretch is a week itself.

    Args:
        profile: on whose bins is counted.
        earlier: rows with `time_ms` and numbers; those from `since_ms` on don't count.
        since_ms: when the stretch in question begins.
        until_ms: when it ends.
    """
    times = [integers(part, "time_ms") for part in earlier]
    first_ms = min((int(time_ms.min()) for time_ms in times if len(time_ms)), default=since_ms)
    begins_ms = since_ms - (since_ms - first_ms) // WEEK_MS * WEEK_MS
    if begins_ms >= since_ms or until_ms - since_ms >= WEEK_MS:
        return {}
    whole = [(begins_ms <= time_ms) & (time_ms < since_ms) for time_ms in times]
    like = [of & ((time_ms - since_ms) % WEEK_MS < until_ms - since_ms) for of, time_ms in zip(whole, times, strict=True)]
    if not any(rows.any() for rows in like):
        return {}
    names = [name for name in profile.numbers if all(name in part.column_names for part in earlier)]
    return {
        name: psi(*(number_shares(profile.numbers[name], _joined(earlier, name, which)) for which in (like, whole)))
        for name in names
    }


def _joined(parts: Sequence[pa.Table], name: str, which: Sequence[Booleans]) -> Floats:
    return np.concatenate([floats(part, name)[rows] for part, rows in zip(parts, which, strict=True)])


def beyond_calendar(shifts: Sequence[Shift], usual: Mapping[str, float]) -> list[Shift]:
    """Return shifts less what days and hours do by themselves, the largest first."""
    found = [one._replace(statistic=max(one.statistic - usual.get(one.feature, 0.0), 0.0)) for one in shifts]
    return sorted(found, key=lambda shift: (-shift.statistic, shift.feature))
