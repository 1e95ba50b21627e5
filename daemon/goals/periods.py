"""Days and named stretches of the calendar: `31 March 2027`, `Q1 2027`, `the second half of 2027`."""

from __future__ import annotations

import calendar
import datetime as dt
from typing import Final, NamedTuple

from daemon.goals.days import MONTHS, around
from daemon.goals.objective import Period
from daemon.goals.parts import Trouble
from daemon.goals.reading import Found, Reading
from daemon.goals.said.times import DAYS, HALVES, OF_YEAR, QUARTERS

_NO_YEAR = "a day of which year? Write it as 2027-03-31"
_FURTHEST: Final = dt.timedelta(days=300)
"""Without a year the next one is meant, unless it is so far ahead that the last one may be."""


class _Day(NamedTuple):
    """A day of a month, whose year may be said elsewhere."""

    month: int
    number: int


def day_at(reading: Reading, at: int) -> Found[dt.date | Trouble] | None:
    """Read one day: `2027-03-31`, `31 March 2027`, `March 31, 2027`, `tomorrow`."""
    found = _day_at(reading, at)
    if found is None:
        return None
    return Found(found.end, _next_day(reading.vocabulary.today, found.value) if isinstance(found.value, _Day) else found.value)


def first_day_at(reading: Reading, at: int, last: dt.date) -> Found[dt.date | Trouble] | None:
    """Read the first day of a stretch whose last day is known, and lends its year."""
    found = _day_at(reading, at)
    if found is None:
        return None
    if not isinstance(found.value, _Day):
        return Found(found.end, found.value)
    day = _date(last.year, found.value)
    return Found(found.end, _date(last.year - 1, found.value) if isinstance(day, dt.date) and day > last else day)


def named_at(reading: Reading, at: int, *, is_end: bool = False) -> Found[Period | Trouble] | None:
    """Read a year; a half, quarter or month with its year, or the next one. Of the present one only the end lies ahead."""
    year = year_at(reading, at)
    if year is not None:
        later = named_in(reading, at + 1, year)  # 2027 Q1
        return (
            Found(later.end, later.value)
            if later
            else Found(at + 1, Period(first=dt.date(year, 1, 1), last=dt.date(year, 12, 31)))
        )
    unnamed = _unnamed_at(reading, at)
    if unnamed is None:
        return None
    place = unnamed.end
    if reading.is_one_of(place, {"of", ",", "in"}) and year_at(reading, place + 1) is not None:
        place += 1
    year = year_at(reading, place)
    if year is not None:
        return Found(place + 1, _period(year, *unnamed.value))
    if of := OF_YEAR.at(reading, unnamed.end):
        return Found(of.end, _period(reading.vocabulary.today.year + of.value, *unnamed.value))
    said = reading.tokens[unnamed.end - 1].raw
    period = _next_named(reading.vocabulary.today, *unnamed.value, is_end=is_end)
    return None if said.casefold() == "may" else Found(unnamed.end, period or Trouble("ambiguous_time", f"{said} of which year?"))


def has_year(reading: Reading, at: int, end: int) -> bool:
    """Whether a year stands between two places."""
    return any(year_at(reading, place) is not None for place in range(at, end))


def named_in(reading: Reading, at: int, year: int) -> Found[Period] | None:
    """Read a half, quarter or month of a year that is said elsewhere."""
    found = _unnamed_at(reading, at)
    return None if found is None else Found(found.end, _period(year, *found.value))


def year_at(reading: Reading, at: int) -> int | None:
    """Return a year, None where none stands."""
    token = reading.token(at)
    is_year = token is not None and token.kind == "number" and token.raw.isdecimal() and len(token.raw) == 4
    year = int(token.raw) if token is not None and is_year else 0
    return year if 2000 <= year <= 2100 else None


def _unnamed_at(reading: Reading, at: int) -> Found[tuple[str, int]] | None:
    if quarter := QUARTERS.at(reading, at):
        return Found(quarter.end, ("quarter", quarter.value))
    if half := HALVES.at(reading, at):
        return Found(half.end, ("half", half.value))
    token = reading.token(at)
    if token is None or token.kind != "word" or token.text not in MONTHS:
        return None
    return Found(at + 1, ("month", MONTHS[token.text]))


def _period(year: int, unit: str, number: int) -> Period:
    if unit == "half":
        return Period(first=dt.date(year, 6 * number - 5, 1), last=around(dt.date(year, 6 * number, 1), "month").last)
    return around(dt.date(year, number if unit == "month" else 3 * number, 1), unit)


def _next_named(today: dt.date, unit: str, number: int, *, is_end: bool) -> Period | None:
    """Return the next half, quarter or month of a name, None where it isn't sure which."""
    this = _period(today.year, unit, number)
    if this.first <= today <= this.last:
        return this if is_end else None
    later = this if this.first > today else _period(today.year + 1, unit, number)
    return later if later.first - today <= _FURTHEST else None


def _next_day(today: dt.date, day: _Day) -> dt.date | Trouble:
    days = [one for year in (today.year, today.year + 1) if isinstance(one := _date(year, day), dt.date) and one >= today]
    is_sure = bool(days) and days[0] - today <= _FURTHEST
    return days[0] if is_sure else Trouble("ambiguous_time", _NO_YEAR)


def _day_at(reading: Reading, at: int) -> Found[dt.date | _Day | Trouble] | None:
    token = reading.token(at)
    if token is not None and token.kind == "day":
        value: dt.date | Trouble = (
            token.day if token.day is not None else Trouble("ambiguous_time", f"{token.raw}: {token.fault}")
        )
        return Found(at + 1, value)
    if later := DAYS.at(reading, at):
        return Found(later.end, reading.vocabulary.today + dt.timedelta(days=later.value))
    found = _day_of_month(reading, at)
    if found is None:
        return None
    place = found.end
    place = place + 1 if reading.is_one_of(place, {",", "of"}) and year_at(reading, place + 1) is not None else place
    year = year_at(reading, place)
    return Found(found.end, found.value) if year is None else Found(place + 1, _date(year, found.value))


def _day_of_month(reading: Reading, at: int) -> Found[_Day] | None:
    """Read `31 March`, `31st of March`, `March 31`, `the 31st of March`."""
    at = reading.skip(at, {"the"})
    number, token, end = _number(reading, at), reading.token(at + 1), at + 2
    if number is not None and reading.is_one_of(at + 1, {"of"}):
        token, end = reading.token(at + 2), at + 3
    if number is None:
        number, token = _number(reading, at + 1), reading.token(at)
    if number is None or token is None or token.kind != "word" or token.text not in MONTHS:
        return None
    return Found(end, _Day(MONTHS[token.text], number))


def _date(year: int, day: _Day) -> dt.date | Trouble:
    if day.number > calendar.monthrange(year, day.month)[1]:
        return Trouble("ambiguous_time", "there is no such day")
    return dt.date(year, day.month, day.number)


def _number(reading: Reading, at: int) -> int | None:
    token = reading.token(at)
    digits = token.raw.rstrip("stndrhSTNDRH") if token is not None and token.kind in {"number", "word"} else ""
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 2 and 1 <= int(digits) <= 31 else None
