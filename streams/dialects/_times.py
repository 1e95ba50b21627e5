"""Times on the wire to epoch milliseconds."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import msgspec

from streams.dialects.base import Refusal

Written = Literal["milliseconds", "seconds", "microseconds", "rfc3339"]
_PER_MS = {"milliseconds": 1.0, "seconds": 1_000.0, "microseconds": 0.001}
_LARGEST = 1e18
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)


def time_of(value: Any, written: Written, name: str) -> int | Refusal:
    """Return a time in epoch milliseconds, rounded down.

    Args:
        value: what stands there.
        written: how times are written; `rfc3339` is text with an offset from UTC.
        name: of the field, for the refusal.
    """
    if written == "rfc3339":
        return _of_text(value, name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return Refusal("wrong_type", f"{name}: expected a number of {written}")
    if not abs(value) < _LARGEST:
        return Refusal("absurd_time", f"{name}: not a time in {written}")
    return int(value * _PER_MS[written] // 1)


def _of_text(value: Any, name: str) -> int | Refusal:
    try:
        when = msgspec.convert(value, dt.datetime)
    except (msgspec.ValidationError, OverflowError):
        return Refusal("wrong_type", f"{name}: expected a time like 2030-01-31T12:00:00Z")
    if when.tzinfo is None:
        return Refusal("wrong_type", f"{name}: the time has no offset from UTC; write Z for UTC")
    return (when - _EPOCH) // _MILLISECOND


def rfc3339(time_ms: int) -> str:
    """Write a time in UTC with milliseconds."""
    when = _EPOCH + dt.timedelta(milliseconds=time_ms)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
