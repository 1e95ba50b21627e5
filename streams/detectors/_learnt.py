"""What was learnt to be usual of a signal, for the people to whom its detector shows it."""

from __future__ import annotations

from streams.contracts.bundle import Normal
from streams.statistics.calendar import HOURS, calendar_cells, local_ms


def usual_level(normal: Normal | None, kind: str, signal: str, start_ms: int) -> float | None:
    """Return the level that the season expects of a bucket that begins then; None where nothing was learnt of the signal."""
    usual = normal.signals.get(kind, {}).get(signal) if normal is not None else None
    if normal is None or usual is None or not usual.buckets:
        return None
    weekday, hour = (int(cell) for cell in calendar_cells(local_ms(start_ms, normal.timezone)))
    cells = (usual.weekday, weekday), (usual.hour, hour), (usual.hour_of_week, weekday * HOURS + hour)
    return usual.level + sum(values[cell] for values, cell in cells if values)
