"""When a goal is for, how far ahead a prediction looks, and what stretch of time a value is counted over.

Words become days by the day that the vocabulary says it is, and the days are what is read back and approved.
"""

from __future__ import annotations

import calendar
import datetime as dt
from typing import Final

from daemon.goals.days import MONTHS, ahead, around
from daemon.goals.objective import Period
from daemon.goals.parts import HorizonPart, OverPart, Part, Trouble
from daemon.goals.reading import Found, Lexicon, Reading, number_at
from daemon.goals.words import ARTICLES, EACH, SPANS

_IN: Final = frozenset({"in", "for", "during", "over", "within", "throughout"})
_UNTIL: Final = Lexicon[str]({
    **dict.fromkeys(("by", "until", "till", "up to", "no later than", "on or before", "not later than"), "unsure"),
    "through": "last", "up to and including": "last", "before": "before",
})  # fmt: skip
"""Behind what isn't a day, `by March` may mean its beginning or its end."""

_END_OF: Final = Lexicon[bool](
    dict.fromkeys(("end of", "the end of", "end of the", "the end of the", "year end", "year's end"), True)
)
_UNITS: Final = frozenset({"week", "month", "quarter", "year"})
_QUARTERS: Final = {"q1": 1, "q2": 2, "q3": 3, "q4": 4}
_ROLLING: Final = frozenset({"any", "each", "every", "rolling", "sliding", "moving", "trailing"})
_COUNTED: Final = Lexicon[bool]({
    **dict.fromkeys(
        (
            "measured over", "measured in", "computed over", "evaluated over", "averaged over", "counted over", "measured",
            "evaluated", "computed", "counted", "per", "for each", "for every", "in each", "in every", "in any", "over any",
            "over each", "over every",
        ),
        True,
    ),
    "over": False,
})  # fmt: skip
_WINDOWS: Final = frozenset({"window", "windows", "period", "periods", "basis"})
_AHEAD: Final = Lexicon[bool](dict.fromkeys(("ahead", "in advance", "out", "from now"), True))
_MOST: Final = 9_999


def read_horizon(reading: Reading, at: int) -> Found[Part] | None:
    """Read for which days a goal is, or how far ahead it looks."""
    try:
        readers = (_next, _until, _between, _calendar, _length)
        found = [one for one in (reader(reading, at) for reader in readers) if one is not None]
    except (OverflowError, ValueError):
        return Found(at + 1, Trouble("ambiguous_time", "the calendar doesn't go that far"))
    return max(found, key=lambda one: one.end, default=None)


def read_over(reading: Reading, at: int) -> Found[Part] | None:
    """Read what stretch of time a value of the metric is counted over: `over any 30 days`, `weekly`, `each month`."""
    counted = _COUNTED.at(reading, at)
    place = counted.end if counted else at
    behind = reading.skip(place, _ROLLING | ARTICLES)
    is_sure = (counted is not None and counted.value) or reading.skip(place, ARTICLES) < behind
    often = reading.skip(place, _ROLLING | ARTICLES | {"on"})
    adjective = reading.token(often)
    if adjective is not None and adjective.kind == "word" and adjective.text in EACH:
        return Found(reading.skip(often + 1, _WINDOWS), OverPart(f"1 {EACH[adjective.text]}"))
    span = _span_at(reading, behind)
    if span is None or (counted is None and not is_sure) or _is_cadence(reading, at, behind, span.end):
        return None
    if not is_sure:
        counted_over, lasts = f"over any {span.value}", f"for the next {span.value}"
        return Found(
            span.end, Trouble("ambiguous_time", f"is a value counted `{counted_over}`, or is the goal `{lasts}`? Say which")
        )
    return Found(reading.skip(span.end, _WINDOWS), OverPart(span.value))


def _is_cadence(reading: Reading, at: int, number: int, end: int) -> bool:
    """Whether words say how often rather than over what: `every 14 days`, unless it is `in every 14-day window`."""
    before = {token.text for token in reading.tokens[at:number]}
    is_often = number_at(reading, number) is not None and bool(before & {"each", "every"})
    return is_often and not before & {"in", "over"} and not reading.is_one_of(end, _WINDOWS)


def _span_at(reading: Reading, at: int) -> Found[str] | None:
    """Read a length of time; one where no number stands."""
    number = number_at(reading, at)
    place = number.end if number else at
    unit = reading.token(place)
    count = number.value.value if number else 1.0
    if unit is None or unit.kind != "word" or unit.text not in SPANS or not count.is_integer() or not 1 <= count <= _MOST:
        return None
    return Found(place + 1, span_text(int(count), SPANS[unit.text]))


def span_text(count: int, unit: str) -> str:
    """Write a length of time as objectives have it."""
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def _next(reading: Reading, at: int) -> Found[Part] | None:
    """Read `next quarter`, `this year`, `in the next 30 days`."""
    place = reading.skip(at, _IN)
    article = reading.is_one_of(place, {"the"})
    place = place + 1 if article else place
    word = next((one for one in ("next", "this", "current", "coming", "following") if reading.is_one_of(place, {one})), None)
    if word is None:
        return None
    number = number_at(reading, place + 1)
    unit = reading.token(number.end if number else place + 1)
    if unit is None or unit.kind != "word" or unit.text not in SPANS:
        return None
    end = (number.end if number else place + 1) + 1
    if number is not None:
        return None if word in {"this", "current"} else _ahead(reading, end, number.value.value, SPANS[unit.text])
    return Found(end, _next_one(reading, word, unit.text, article=article)) if unit.text in _UNITS else None


def _next_one(reading: Reading, word: str, unit: str, *, article: bool) -> Part:
    if word in {"this", "current"}:
        return HorizonPart(around(reading.vocabulary.today, unit))
    if article or word != "next":
        text = f"is it the next {unit} of the calendar, or a {unit} from today on? Say `next {unit}`, or how many days"
        return Trouble("ambiguous_time", text)
    return HorizonPart(around(reading.vocabulary.today, unit, 1))


def _length(reading: Reading, at: int) -> Found[Part] | None:
    """Read `within 30 days`, `two weeks ahead`."""
    is_within = reading.is_one_of(at, {"within"})
    place = at + 1 if is_within else at
    number = number_at(reading, place)
    if number is None and reading.is_one_of(place, ARTICLES - {"the"}):
        count, place = 1.0, place + 1
    elif number is not None:
        count, place = number.value.value, number.end
    else:
        return None
    unit = reading.token(place)
    if unit is None or unit.kind != "word" or unit.text not in SPANS:
        return None
    behind = _AHEAD.at(reading, place + 1)
    if not is_within and behind is None:
        return None
    return _ahead(reading, behind.end if behind else place + 1, count, SPANS[unit.text])


def _ahead(reading: Reading, end: int, count: float, unit: str) -> Found[Part] | None:
    if not count.is_integer() or not 1 <= count <= _MOST:
        return Found(end, Trouble("ambiguous_time", f"a length of time is a whole number from 1 to {_MOST}"))
    span = span_text(int(count), unit)
    period = None if unit == "hour" else ahead(reading.vocabulary.today, int(count), unit)
    return Found(end, HorizonPart(period, span))


def _until(reading: Reading, at: int) -> Found[Part] | None:
    """Read `until 31 March 2027`, `by the end of the quarter`, `before 2027-04-01`; it begins today."""
    until = _UNTIL.at(reading, at)
    if until is None:
        return None
    today = reading.vocabulary.today
    if end_of := _END_OF.at(reading, until.end):
        return _end_of(reading, end_of.end, until.value)
    day = _day_at(reading, until.end)
    if day is not None:
        return Found(day.end, _until_day(today, day.value, until.value))
    named = _named(reading, until.end)
    return None if named is None else Found(named.end, _until_named(today, named.value, until.value))


def _until_day(today: dt.date, day: dt.date | Trouble, until: str) -> Part:
    if isinstance(day, Trouble):
        return day
    return HorizonPart(Period(first=today, last=day - dt.timedelta(days=1) if until == "before" else day))


def _until_named(today: dt.date, period: Period | Trouble, until: str) -> Part:
    if isinstance(period, Trouble):
        return period
    if until == "unsure":
        return Trouble("ambiguous_time", f"until {period.first} or {period.last}? Say the day, or `the end of` it")
    return HorizonPart(Period(first=today, last=period.last if until == "last" else period.first - dt.timedelta(days=1)))


def _end_of(reading: Reading, at: int, until: str) -> Found[Part] | None:
    today = reading.vocabulary.today
    if reading.tokens[at - 1].text == "end":  # year end
        return Found(at, HorizonPart(Period(first=today, last=around(today, "year").last)))
    later = 1 if reading.is_one_of(at, {"next"}) else 0
    place = at + 1 if reading.is_one_of(at, {"next", "this", "current"}) else at
    token = reading.token(place)
    if token is not None and token.kind == "word" and token.text in _UNITS:
        found: Found[Period | Trouble] = Found(place + 1, around(today, token.text, later))
    else:
        named = _named(reading, at)
        if named is None:
            return None
        found = named
    if isinstance(found.value, Trouble):
        return Found(found.end, found.value)
    if until == "before":
        return Found(found.end, Trouble("ambiguous_time", "before the end of it, but when? Say the last day, or `until the end`"))
    return Found(found.end, HorizonPart(Period(first=today, last=found.value.last)))


def _between(reading: Reading, at: int) -> Found[Part] | None:
    """Read `from 2027-01-01 to 2027-03-31`."""
    if not reading.is_one_of(at, {"from", "between"}):
        return None
    first = _day_at(reading, at + 1)
    if first is None or not reading.is_one_of(first.end, {"to", "until", "through", "and"}):
        return None
    last = _day_at(reading, first.end + 1)
    if last is None:
        return None
    if isinstance(first.value, Trouble):
        return Found(last.end, first.value)
    if isinstance(last.value, Trouble):
        return Found(last.end, last.value)
    return Found(last.end, HorizonPart(Period(first=first.value, last=last.value)))


def _calendar(reading: Reading, at: int) -> Found[Part] | None:
    """Read `in 2027`, `Q1 2027`, `in March 2027`."""
    place = reading.skip(at, _IN)
    if reading.is_one_of(place, {"all"}) and reading.is_one_of(place + 1, {"of"}):
        place += 2
    if place == at and not reading.is_one_of(at, _QUARTERS) and not reading.is_one_of(at, MONTHS):
        return None
    found = _named(reading, place)
    if found is None:
        return None
    return Found(found.end, found.value if isinstance(found.value, Trouble) else HorizonPart(found.value))


def _named(reading: Reading, at: int) -> Found[Period | Trouble] | None:
    """Read a year, a quarter or month with its year; without its year it isn't known which."""
    token = reading.token(at)
    if token is None:
        return None
    year = _year_at(reading, at)
    if year is not None:
        return Found(at + 1, Period(first=dt.date(year, 1, 1), last=dt.date(year, 12, 31)))
    if token.kind != "word" or (token.text not in _QUARTERS and token.text not in MONTHS):
        return None
    place = at + 1
    if reading.is_one_of(place, {"of", ","}) and _year_at(reading, place + 1) is not None:
        place += 1
    year = _year_at(reading, place)
    if year is None:
        is_quarter = token.text in _QUARTERS
        return (
            Found(at + 1, Trouble("ambiguous_time", f"{token.raw} of which year?"))
            if is_quarter or _is_name(token.text)
            else None
        )
    if token.text in _QUARTERS:
        return Found(place + 1, around(dt.date(year, 3 * _QUARTERS[token.text], 1), "quarter"))
    return Found(place + 1, around(dt.date(year, MONTHS[token.text], 1), "month"))


def _is_name(word: str) -> bool:
    """Whether a month's name is nothing else in English, as `may` is."""
    return word != "may"


def _day_at(reading: Reading, at: int) -> Found[dt.date | Trouble] | None:
    """Read one day: `2027-03-31`, `31 March 2027`, `March 31, 2027`."""
    token = reading.token(at)
    if token is not None and token.kind == "day":
        value: dt.date | Trouble = (
            token.day if token.day is not None else Trouble("ambiguous_time", f"{token.raw}: {token.fault}")
        )
        return Found(at + 1, value)
    number, month, place = _day_of_month(reading, at), reading.token(at + 1), at + 2
    if number is not None and reading.is_one_of(at + 1, {"of"}):
        month, place = reading.token(at + 2), at + 3
    if number is None:
        number, month = _day_of_month(reading, at + 1), token
    if number is None or month is None or month.kind != "word" or month.text not in MONTHS:
        return None
    place = place + 1 if reading.is_one_of(place, {","}) and _year_at(reading, place + 1) is not None else place
    year = _year_at(reading, place)
    if year is None:
        return Found(place, Trouble("ambiguous_time", "a day of which year? Write it as 2027-03-31"))
    if number > calendar.monthrange(year, MONTHS[month.text])[1]:
        return Found(place + 1, Trouble("ambiguous_time", "there is no such day"))
    return Found(place + 1, dt.date(year, MONTHS[month.text], number))


def _day_of_month(reading: Reading, at: int) -> int | None:
    token = reading.token(at)
    digits = token.raw.rstrip("stndrhSTNDRH") if token is not None and token.kind in {"number", "word"} else ""
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 2 and 1 <= int(digits) <= 31 else None


def _year_at(reading: Reading, at: int) -> int | None:
    token = reading.token(at)
    is_year = token is not None and token.kind == "number" and token.raw.isdecimal() and len(token.raw) == 4
    year = int(token.raw) if token is not None and is_year else 0
    return year if 2000 <= year <= 2100 else None
