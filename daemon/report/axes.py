"""Scales and ticks of the plots. Values are clamped into their scale, so every coordinate is finite and inside the picture."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from typing import NamedTuple

from daemon.report.wording import date_of, finite, minus

_DAY_MS = 86_400_000
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120)
_DAY_STEPS = (1, 2, 7, 14, 28)


class Scale(NamedTuple):
    """A linear way from values `low`..`high` to coordinates `start`..`end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the coordinate of a value, clamped into the scale."""
        if not finite(value) or self.high <= self.low:
            return (self.start + self.end) / 2
        share = min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))
        return self.start + share * (self.end - self.start)


def covering(values: Iterable[float], start: float, end: float, *, pad: float = 0.06) -> Scale:
    """Make a scale that shows all values that can be drawn, with some air at both ends."""
    shown = [value for value in values if finite(value)]
    low, high = (min(shown), max(shown)) if shown else (0.0, 1.0)
    if high - low < 1e-12 * max(1.0, abs(high)):
        low, high = low - (abs(low) or 1.0) * 0.1, high + (abs(high) or 1.0) * 0.1
    air = (high - low) * pad
    return Scale(low - air, high + air, start, end)


def ticks(scale: Scale, count: int) -> list[tuple[float, str]]:
    """Return about `count` round values inside the scale with their texts, all with the same digits after the point."""
    span = scale.high - scale.low
    if span <= 0 or count < 1:
        return []
    power = math.floor(math.log10(span / count))
    steps = [(10.0**power * factor, digits - power) for factor, digits in ((1, 0), (2, 0), (2.5, 1), (5, 0), (10, -1))]
    step, digits = min(steps, key=lambda item: abs(span / item[0] - count))
    first = math.ceil(scale.low / step - 1e-9)
    last = math.floor(scale.high / step + 1e-9)
    return [(whole * step, _tick_text(whole * step, digits)) for whole in range(first, last + 1)]


def _tick_text(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 100_000 or digits > 6:
        return minus(f"{value:.1e}")
    return minus(f"{value:.{max(0, digits)}f}")


def time_ticks(start_ms: int, end_ms: int, count: int) -> list[tuple[int, str]]:
    """Return at most about `count` times with their texts: months over long spans, days over short ones."""
    begin, end = date_of(start_ms), date_of(end_ms)
    if begin is None or end is None or end <= begin:
        return []
    days = (end_ms - start_ms) / _DAY_MS
    if days / 28 / count <= 1 and days < 60:
        return _days(begin, end, next((step for step in _DAY_STEPS if days / step <= count), _DAY_STEPS[-1]))
    months = days / 30.4
    return _months(begin, end, next((step for step in _MONTH_STEPS if months / step <= count), _MONTH_STEPS[-1]))


def _months(begin: dt.datetime, end: dt.datetime, step: int) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    place = -(-(begin.year * 12 + begin.month - 1) // step) * step
    while place // 12 <= min(end.year, dt.MAXYEAR) and len(found) < 100:
        when = dt.datetime(place // 12, place % 12 + 1, 1, tzinfo=dt.UTC)
        if when >= end:
            break
        if when >= begin:
            pattern = "%b %Y" if not found or when.month <= step else "%b"
            found.append((int(when.timestamp() * 1_000), when.strftime(pattern)))
        place += step
    return found


def _days(begin: dt.datetime, end: dt.datetime, step: int) -> list[tuple[int, str]]:
    first = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    days = (first + dt.timedelta(days=offset) for offset in range(0, (end - first).days + 1, step))
    return [(int(when.timestamp() * 1_000), when.strftime("%d %b").lstrip("0")) for when in days if begin <= when < end]
