"""What stretch of time a value of the metric is counted over: `over any 30 days`, `weekly`, `in each month`."""

from __future__ import annotations

from typing import Final

from daemon.goals.naming import METRIC_WORDS
from daemon.goals.numbers import number_at
from daemon.goals.parts import OverPart, Part, Trouble
from daemon.goals.reading import Found, Reading
from daemon.goals.said.times import (
    AT_A_TIME,
    BY_TURNS,
    CADENCE,
    COUNTED,
    HOW_OFTEN,
    IN_WINDOWS,
    LOOSE,
    MOVING,
    OVER,
    RATES,
    ROLLING,
    SURE,
    WINDOWS,
)
from daemon.goals.words import ARTICLES, SPANS

MOST_UNITS: Final = 9_999
_INSIDE: Final = frozenset({"in", "over", "within", "during", "across"})
_OF_WINDOWS: Final = frozenset({"of", "lasting"})


def read_over(reading: Reading, at: int) -> Found[Part] | None:
    """Read what stretch of time a value of the metric is counted over."""
    counted = COUNTED.at(reading, at)
    if turns := BY_TURNS.at(reading, counted.end if counted else at):
        return Found(turns.end, OverPart(f"1 {turns.value}"))
    return _before_metric(reading, at) or _stretch(reading, at)


def _before_metric(reading: Reading, at: int) -> Found[Part] | None:
    """Read `30-day` of `30-day recall`."""
    span = _span_at(reading, at) if number_at(reading, at) is not None else None
    return None if span is None or METRIC_WORDS.at(reading, span.end) is None else Found(span.end, OverPart(span.value))


def _stretch(reading: Reading, at: int) -> Found[Part] | None:
    is_rate = reading.is_one_of(at, RATES)
    sure, over = SURE.at(reading, at), OVER.at(reading, at)
    begin = sure.end if sure else over.end if over else reading.skip(at, IN_WINDOWS)
    place = reading.skip(begin, ROLLING | ARTICLES)
    if (often := _often(reading, place)) is not None:
        return Found(often.end, OverPart(often.value, is_rate))
    span = _span_at(reading, place)
    if span is None or _is_cadence(reading, at, place, span.end):
        return None
    end = reading.skip(span.end, ROLLING | WINDOWS)
    behind = AT_A_TIME.at(reading, end) if over is not None else None
    is_rolling = _has(reading, begin, place, ROLLING - LOOSE) and (begin == at or over is not None)
    is_window = _has(reading, place, place + 1, WINDOWS)  # in windows of 14 days
    if sure is not None or behind is not None or is_rolling or is_window or _has(reading, span.end, end, WINDOWS | MOVING):
        return Found(behind.end if behind else end, OverPart(span.value, is_rate))
    if over is None:
        return None
    counted_over, lasts = f"over any {span.value}", f"for the next {span.value}"
    return Found(span.end, Trouble("ambiguous_time", f"is a value counted `{counted_over}`, or is the goal `{lasts}`? Say which"))


# What comes `monthly` then is money, and no value of a metric.
_MONEY: Final = frozenset(
    {"budget", "budgets", "cost", "costs", "cap", "limit", "spend", "spending", "bill", "allowance", "price"}
)


def _often(reading: Reading, at: int) -> Found[str] | None:
    """Read `weekly`, `on a monthly basis`."""
    place = reading.skip(at, {"on"} | ARTICLES)
    token = reading.token(place)
    if token is None or token.kind != "word" or token.text not in HOW_OFTEN or reading.is_one_of(place + 1, _MONEY):
        return None
    return Found(reading.skip(place + 1, ROLLING | WINDOWS), f"1 {HOW_OFTEN[token.text]}")


def _has(reading: Reading, at: int, end: int, words: frozenset[str]) -> bool:
    return any(token.text in words for token in reading.tokens[at:end])


def unit_at(reading: Reading, at: int) -> Found[tuple[int, str]] | None:
    """Return a unit of time, as so many of which goals count."""
    token = reading.token(at)
    return Found(at + 1, SPANS[token.text]) if token is not None and token.kind == "word" and token.text in SPANS else None


def span_text(count: int, unit: str) -> str:
    """Write a length of time as objectives have it."""
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def _is_cadence(reading: Reading, at: int, number: int, end: int) -> bool:
    """Whether words say how often rather than over what: `every 14 days`, unless it is `in every 14-day window`."""
    is_often = number_at(reading, number) is not None and _has(reading, at, number, CADENCE)
    return is_often and not _has(reading, at, number, _INSIDE) and not reading.is_one_of(end, WINDOWS)


def _span_at(reading: Reading, at: int) -> Found[str] | None:
    """Read a length of time; one where no number stands. `windows of 30 days` has it behind."""
    windows = reading.skip(at, WINDOWS)
    place = reading.skip(windows, _OF_WINDOWS) if windows > at else at
    number = number_at(reading, place)
    unit = unit_at(reading, number.end if number else place)
    count = number.value.value if number else 1.0
    if unit is None or not count.is_integer() or not 1 <= count <= MOST_UNITS:
        return None
    times, name = unit.value
    return Found(unit.end, span_text(int(count) * times, name))
