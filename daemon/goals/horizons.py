"""When a goal is for, and how far ahead a prediction looks.

Words become days by the day that the vocabulary says it is, and the days are what is read back and approved.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from daemon.goals.days import ahead, around
from daemon.goals.numbers import number_at
from daemon.goals.objective import Period
from daemon.goals.parts import HorizonPart, Part, Trouble
from daemon.goals.periods import day_at, first_day_at, has_year, named_at, named_in, year_at
from daemon.goals.reading import Found, Reading
from daemon.goals.said.times import AHEAD, AT_LATEST, END_OF, FROM, FROM_NOW, HORIZON, IN, NEXT, ON_DAYS, REST, UNTIL, YEAR_END
from daemon.goals.spans import MOST_UNITS, span_text, unit_at
from daemon.goals.words import ARTICLES

_UNITS: Final = frozenset({"week", "month", "quarter", "year"})
_TO: Final = frozenset({"to", "until", "till", "til", "through", "and", "-"})
_ENDING: Final = frozenset({"ending", "ends", "on"})


def read_horizon(reading: Reading, at: int) -> Found[Part] | None:
    """Read for which days a goal is, or how far ahead it looks."""
    try:
        readers = (_next, _until, _between, _calendar, _length, _rest, _on_day)
        found = [one for one in (reader(reading, at) for reader in readers) if one is not None]
    except (OverflowError, ValueError):
        return Found(at + 1, Trouble("ambiguous_time", "the calendar doesn't go that far"))
    return max(found, key=lambda one: one.end, default=None)


def _next(reading: Reading, at: int) -> Found[Part] | None:
    """Read `next quarter`, `this year`, `in the next 30 days`."""
    place = IN.past(reading, at)
    article = reading.is_one_of(place, {"the"})
    word = NEXT.at(reading, place + 1 if article else place)
    if word is None:
        return None
    number = number_at(reading, word.end)
    unit = unit_at(reading, number.end if number else word.end)
    if unit is None:
        return None
    if number is not None:
        times, name = unit.value
        return None if word.value == "this" else _ahead(reading, unit.end, number.value.value * times, name)
    if unit.value[0] > 1:  # the next fortnight, which no calendar has
        return _ahead(reading, unit.end, float(unit.value[0]), unit.value[1]) if word.value == "next" else None
    name = reading.tokens[word.end].text
    return Found(unit.end, _next_one(reading, word.value, name, article=article)) if name in _UNITS else None


def _next_one(reading: Reading, word: str, unit: str, *, article: bool) -> Part:
    if word == "this":
        return HorizonPart(around(reading.vocabulary.today, unit))
    if article or word != "next":
        text = f"is it the next {unit} of the calendar, or a {unit} from today on? Say `next {unit}`, or how many days"
        return Trouble("ambiguous_time", text)
    return HorizonPart(around(reading.vocabulary.today, unit, 1))


def _length(reading: Reading, at: int) -> Found[Part] | None:
    """Read `within 30 days`, `two weeks ahead`."""
    is_within, horizon = reading.is_one_of(at, {"within"}), HORIZON.at(reading, at)
    place = horizon.end if horizon else at + 1 if is_within else at
    place = reading.skip(place, ARTICLES) if number_at(reading, reading.skip(place, ARTICLES)) else place
    number = number_at(reading, place)
    if number is None and reading.is_one_of(place, ARTICLES - {"the"}):
        count, place = 1.0, place + 1
    elif number is not None:
        count, place = number.value.value, number.end
    else:
        return None
    unit = unit_at(reading, place)
    if unit is None:
        return None
    behind = AHEAD.at(reading, unit.end)
    if not is_within and behind is None and horizon is None and not _is_of_target(reading, unit.end):
        return None
    times, name = unit.value
    return _ahead(reading, behind.end if behind else unit.end, count * times, name)


def _is_of_target(reading: Reading, at: int) -> bool:
    """Whether the name of a target stands there: `30-day churn`."""
    token = reading.token(at)
    return token is not None and token.kind == "word" and token.text in {name.casefold() for name in reading.vocabulary.targets}


def _ahead(reading: Reading, end: int, count: float, unit: str) -> Found[Part] | None:
    if not count.is_integer() or not 1 <= count <= MOST_UNITS:
        return Found(end, Trouble("ambiguous_time", f"a length of time is a whole number from 1 to {MOST_UNITS}"))
    span = span_text(int(count), unit)
    period = None if unit == "hour" else ahead(reading.vocabulary.today, int(count), unit)
    return Found(end, HorizonPart(period, span))


def _until(reading: Reading, at: int) -> Found[Part] | None:
    """Read `until 31 March 2027`, `by the end of the quarter`, `before 2027-04-01`; it begins today."""
    now = FROM_NOW.at(reading, at)
    place = now.end if now else at
    until = UNTIL.at(reading, place) or _to_the_end(reading, place)
    if until is None and now is not None and reading.is_one_of(now.end - 1, {"and"}):
        until = Found(now.end, "unsure")
    if until is None:
        return None
    found = _last(reading, Found(reading.skip(until.end, {":"}), until.value))
    late = AT_LATEST.at(reading, found.end) if found else None
    return Found(late.end, found.value) if found and late else found


def _to_the_end(reading: Reading, at: int) -> Found[str] | None:
    """Read `to` before `the end of the year`, and nothing before `eoy`."""
    if reading.is_one_of(at, {"eoy", "eoq", "eom"}):
        return Found(at, "unsure")
    is_end = reading.is_one_of(at, {"to"}) and (YEAR_END.at(reading, at + 1) or END_OF.at(reading, at + 1))
    return Found(at + 1, "unsure") if is_end else None


def _last(reading: Reading, until: Found[str]) -> Found[Part] | None:
    today = reading.vocabulary.today
    if end_of := _end_of(reading, until.end, until.value):
        return end_of
    day = day_at(reading, until.end)
    if day is not None:
        return Found(day.end, _until_day(today, day.value, until.value))
    named = named_at(reading, until.end)
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
    found: Found[Period | Trouble] | None = None
    if end := YEAR_END.at(reading, at):
        year = year_at(reading, end.end) if end.value == "year" else None
        found = Found(end.end + (year is not None), around(dt.date(year, 1, 1) if year else today, end.value))
    if end_of := END_OF.at(reading, at):
        later = reading.is_one_of(end_of.end, {"next"})
        token = reading.token(end_of.end + 1 if later else end_of.end)
        if later and token is not None and token.text in _UNITS:
            found = Found(end_of.end + 2, around(today, token.text, 1))
        found = named_at(reading, end_of.end, is_end=True) or found
    if found is None:
        return None
    if isinstance(found.value, Trouble):
        return Found(found.end, found.value)
    return Found(found.end, HorizonPart(Period(first=today, last=found.value.last)))


def _between(reading: Reading, at: int) -> Found[Part] | None:
    """Read `from 2027-01-01 to 2027-03-31`, `from 1 January to 31 March 2027`, `from January to March 2027`."""
    since = FROM.at(reading, at)
    is_in_brackets = reading.is_one_of(at - 1, {"("})
    if since is None and not is_in_brackets:
        return None
    place = since.end if since else at
    return _days_between(reading, place) or _months_between(reading, place)


def _days_between(reading: Reading, at: int) -> Found[Part] | None:
    begun = day_at(reading, at)
    if begun is None or not reading.is_one_of(begun.end, _TO):
        return None
    last = day_at(reading, reading.skip(begun.end, _TO | _ENDING))
    if last is None:
        return None
    if isinstance(last.value, Trouble):
        return Found(last.end, last.value)
    first = first_day_at(reading, at, last.value) or begun
    if isinstance(first.value, Trouble):
        return Found(last.end, first.value)
    return Found(last.end, HorizonPart(Period(first=first.value, last=last.value)))


def _months_between(reading: Reading, at: int) -> Found[Part] | None:
    begun = named_at(reading, at)
    if begun is None or not reading.is_one_of(begun.end, _TO):
        return None
    last = named_at(reading, begun.end + 1)
    if last is None:
        return None
    if isinstance(last.value, Trouble):
        return Found(last.end, last.value)
    is_begun, is_ended = has_year(reading, at, begun.end), has_year(reading, begun.end + 1, last.end)
    first: Period | Trouble = begun.value
    if not is_begun and is_ended:
        lent = named_in(reading, at, last.value.last.year)  # from January to March 2027
        first = lent.value if lent is not None else begun.value
    if isinstance(first, Trouble):
        return Found(last.end, first)
    is_unlike = not is_begun and year_at(reading, begun.end + 1) is not None  # from Q1 until 2027
    if is_unlike or last.value.last < first.first:
        return Found(last.end, Trouble("ambiguous_time", "it ends before it begins: which years are meant?"))
    return Found(last.end, HorizonPart(Period(first=first.first, last=last.value.last)))


def _calendar(reading: Reading, at: int) -> Found[Part] | None:
    """Read `in 2027`, `Q1 2027`, `in March 2027`."""
    place = IN.past(reading, at)
    if months := _months_between(reading, place):
        return months
    found = named_at(reading, reading.skip(place, {"the"}) if place > at else at)
    is_led = place > at or reading.is_one_of(at - 1, {"for", "in", "of"})  # a churn forecast for 2027
    if found is None or (not is_led and year_at(reading, at) is not None and found.end == at + 1):
        return None
    return Found(found.end, found.value if isinstance(found.value, Trouble) else HorizonPart(found.value))


def _rest(reading: Reading, at: int) -> Found[Part] | None:
    """Read `for the rest of the year`."""
    rest = REST.at(reading, at)
    token = None if rest is None else reading.token(rest.end)
    if rest is None or token is None:
        return None
    today = reading.vocabulary.today
    if token.text in _UNITS:
        return Found(rest.end + 1, HorizonPart(Period(first=today, last=around(today, token.text).last)))
    year = year_at(reading, rest.end)
    return Found(rest.end + 1, HorizonPart(Period(first=today, last=dt.date(year, 12, 31)))) if year == today.year else None


def _on_day(reading: Reading, at: int) -> Found[Part] | None:
    """Read `for tomorrow`."""
    found = ON_DAYS.at(reading, at)
    if found is None:
        return None
    day = reading.vocabulary.today + dt.timedelta(days=found.value)
    return Found(found.end, HorizonPart(Period(first=day, last=day)))
