"""Days of the calendar: the first and last of a week, month, quarter or year, and those a length of time takes."""

from __future__ import annotations

import calendar
import datetime as dt
from typing import Final

from daemon.goals.objective import Period

MONTHS: Final[dict[str, int]] = {
    name: number
    for number, names in enumerate(
        (
            ("january", "jan"), ("february", "feb"), ("march", "mar"), ("april", "apr"), ("may",), ("june", "jun"), ("july",
             "jul"),
            ("august", "aug"), ("september", "sept", "sep"), ("october", "oct"), ("november", "nov"), ("december", "dec"),
        ),
        start=1,
    )
    for name in names
}  # fmt: skip
_MONTHS_IN: Final = {"month": 1, "quarter": 3, "year": 12}


def around(day: dt.date, unit: str, later: int = 0) -> Period:
    """Return the calendar's week (from Monday on), month, quarter or year in which a day lies, or one so many later.

    Raises:
        OverflowError: the calendar ends before; `ValueError` likewise.
    """
    if unit == "week":
        first = day - dt.timedelta(days=day.weekday()) + dt.timedelta(weeks=later)
        return Period(first=first, last=first + dt.timedelta(days=6))
    months = _MONTHS_IN[unit]
    begin = (day.year * 12 + day.month - 1) // months * months + later * months
    return Period(first=_month(begin), last=_month(begin + months) - dt.timedelta(days=1))


def ahead(day: dt.date, count: int, unit: str) -> Period:
    """Return so many days, weeks, months, quarters or years from a day on, that day being the first.

    Raises:
        OverflowError: the calendar ends before; `ValueError` likewise.
    """
    if unit in {"day", "week"}:
        return Period(first=day, last=day + dt.timedelta(days=count * (7 if unit == "week" else 1) - 1))
    month = day.year * 12 + day.month - 1 + count * _MONTHS_IN[unit]
    year, place = divmod(month, 12)
    end = dt.date(year, place + 1, min(day.day, calendar.monthrange(year, place + 1)[1]))
    return Period(first=day, last=end - dt.timedelta(days=1))


def _month(number: int) -> dt.date:
    year, place = divmod(number, 12)
    return dt.date(year, place + 1, 1)
