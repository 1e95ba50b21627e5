"""Whether a scenario's bars are held."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple, Protocol

Sense = Literal["at_least", "at_most"]


class Bar(Protocol):
    """What a scenario file says of one bar: exactly one limit, and the days of the score it is about (None: all of them)."""

    @property
    def metric(self) -> str:
        """What is limited."""

    @property
    def policy(self) -> str:
        """Whose figure it is."""

    @property
    def at_least(self) -> float | None:
        """The lower limit."""

    @property
    def at_most(self) -> float | None:
        """The upper limit."""

    @property
    def first_day(self) -> int | None:
        """The first day."""

    @property
    def last_day(self) -> int | None:
        """The last day."""


class BarResult(NamedTuple):
    """A bar and what was measured; `held` is None where nothing could be, `value` also where what was waited for never came."""

    metric: str
    policy: str
    value: float | None
    limit: float
    held: bool | None
    sense: Sense
    first_day: int | None = None
    last_day: int | None = None


def evaluate(bars: Iterable[Bar], value_of: Callable[[Bar], float | None]) -> tuple[BarResult, ...]:
    """Look up each bar's value and compare it with the limit, which itself is still held.

    NaN counts as not measured; infinity is a wait for what never came: no value, but measured.

    Raises:
        ValueError: a bar has no limit or two.
    """
    return tuple(_result(bar, value_of(bar)) for bar in bars)


def _result(bar: Bar, found: float | None) -> BarResult:
    value = None if found is None or math.isnan(found) else found
    limit, sense = _limit(bar)
    held = None if value is None else value >= limit if sense == "at_least" else value <= limit
    shown = None if value is None or math.isinf(value) else value
    return BarResult(bar.metric, bar.policy, shown, limit, held, sense, bar.first_day, bar.last_day)


def _limit(bar: Bar) -> tuple[float, Sense]:
    if bar.at_least is not None and bar.at_most is None:
        return bar.at_least, "at_least"
    if bar.at_most is not None and bar.at_least is None:
        return bar.at_most, "at_most"
    raise ValueError(f"bar on {bar.metric}: give exactly one of at_least and at_most")
