"""How numbers, times and foreign texts read. Everything here is pure; nothing raises on strange input."""

from __future__ import annotations

import datetime as dt
import math
import unicodedata

from streams.contracts.bundle import Interval

TEXT_LIMIT = 800
MISSING = "\N{EN DASH}"
# A space at which no line breaks.
_HELD = "\N{NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# Larger values are nonsense in a report, and differences between them overflow.
_LARGEST = 1e30


def clean(text: str, limit: int = TEXT_LIMIT) -> str:
    """Make a foreign text safe to show: one line, no control, format or surrogate characters, bounded."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    spaced = "".join(" " if letter.isspace() and letter != _HELD else letter for letter in cut)
    return "".join("�" if unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Cn", "Co"} else letter for letter in spaced)


def finite(value: float | None) -> bool:
    """Whether a value can be shown and drawn."""
    return value is not None and math.isfinite(value) and abs(value) < _LARGEST


def usable(interval: Interval | None) -> Interval | None:
    """Return the interval with its ends in order, None when any part of it can't be drawn."""
    if interval is None or not (finite(interval.value) and finite(interval.low) and finite(interval.high)):
        return None
    return Interval(interval.value, min(interval.low, interval.high), max(interval.low, interval.high))


def minus(text: str) -> str:
    """Write a number's hyphen as a minus sign."""
    return text.replace("-", _MINUS)


def number(value: float | None) -> str:
    """Write a number for people: whole numbers with separators, three digits after the point near one, else three that matter."""
    if value is None or not math.isfinite(value):
        return MISSING
    size = abs(value)
    if value == int(value) and size < 1e15:
        text = f"{int(value):,}"
    elif size >= 1_000_000 or size < 0.000_5:
        text = f"{value:.2e}"
    elif size >= 100:
        text = f"{value:,.0f}"
    elif size >= 10:
        text = f"{value:.1f}"
    else:
        text = f"{value:.3f}"
    return minus(text)


def quality(value: float | None) -> str:
    """Write a value of a metric: always three digits after the point."""
    return minus(f"{value:.3f}") if value is not None and finite(value) else MISSING


def signed(value: float | None) -> str:
    """Write a difference with its sign, three digits after the point."""
    if value is None or not finite(value):
        return MISSING
    return minus(f"{value:+.3f}" if abs(value) < 1_000 else f"{value:+.2e}")


def range_of(interval: Interval | None, *, with_sign: bool = False) -> str:
    """Write an interval's ends."""
    shown = usable(interval)
    write = signed if with_sign else quality
    return MISSING if shown is None else f"{write(shown.low)} to {write(shown.high)}"


def p_value(value: float) -> str:
    """Write a p-value; tiny ones only as smaller than."""
    if not math.isfinite(value):
        return MISSING
    if value < 1e-12:
        return f"< 1e{_MINUS}12"
    return minus(f"{value:.3f}" if value >= 0.001 else f"{value:.1e}")


def percent(share: float) -> str:
    """Write a share of one in per cent."""
    return f"{share * 100:.0f}{_HELD}%" if finite(share) else MISSING


def moment(time_ms: int | None) -> str:
    """Write a time to the minute, UTC."""
    return _time(time_ms, "%Y-%m-%d %H:%M UTC")


def day(time_ms: int | None) -> str:
    """Write the day of a time, UTC."""
    return _time(time_ms, "%Y-%m-%d")


def date_of(time_ms: int) -> dt.datetime | None:
    """Return the time, aware, in UTC; None outside the years 1 to 9999."""
    try:
        return _EPOCH + dt.timedelta(milliseconds=time_ms)
    except OverflowError:
        return None


def duration(seconds: float | None) -> str:
    """Write a length of time in the two units that fit it."""
    if seconds is None or not finite(seconds) or seconds < 0:
        return MISSING
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, large, small_size, small in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // small_size
            return f"{whole // size:,} {large}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def size(count: float) -> str:
    """Write a count of bytes in GiB or MiB."""
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def short(digest: str) -> str:
    """Write the part of a digest that people compare."""
    return clean(digest.removeprefix("sha256:")[:12])


def _time(time_ms: int | None, pattern: str) -> str:
    when = None if time_ms is None else date_of(time_ms)
    return MISSING if when is None else when.strftime(pattern)
