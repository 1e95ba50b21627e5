"""What all injections share: when they happen, and choices that are drawn anew for each seed."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple, TypeAlias, TypeVar, get_origin

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from streams.runtime.config import Section
from tests.bench.closed_loop.rows import DAY_MS, Rows

_HOUR_MS = 3_600_000

Value = TypeVar("Value")
# One value, or several of which a seed takes one: nothing may be tuned to the strength, column or key of a scored stream.
OneOf: TypeAlias = Value | Annotated[tuple[Value, ...], Field(min_length=1)]


class Span(NamedTuple):
    """Event times [since, until), epoch milliseconds."""

    since_ms: int
    until_ms: int


class Placed(Section):
    """When something is done to the rows: from `first_hour` on `first_day` to the end of `last_hour` on `last_day`."""

    first_day: int = Field(ge=0)
    """Days count from the data set's day 0."""

    last_day: int = Field(ge=0)
    """The last day belongs to it."""

    first_hour: int = Field(default=0, ge=0, le=23)
    """On the first day."""

    last_hour: int = Field(default=23, ge=0, le=23)
    """On the last day; this hour belongs to it."""

    def span(self, epoch_ms: int) -> Span:
        """Return the event times, for the start of day 0."""
        since_ms = epoch_ms + self.first_day * DAY_MS + self.first_hour * _HOUR_MS
        return Span(since_ms, epoch_ms + self.last_day * DAY_MS + (self.last_hour + 1) * _HOUR_MS)


AnyOptions = TypeVar("AnyOptions", bound=BaseModel)


def resolved(options: AnyOptions, rng: np.random.Generator) -> AnyOptions:
    """Return the options with one value drawn for every choice of several, in the order of the fields."""
    drawn: dict[str, Any] = {}
    for name, field in type(options).model_fields.items():
        value = getattr(options, name)
        # An option that can only be a tuple is a set of columns, not a choice between them.
        if isinstance(value, tuple) and get_origin(field.annotation) is not tuple:
            drawn[name] = value[int(rng.integers(len(value)))]
    return options.model_copy(update=drawn)


def single(choice: OneOf[Value]) -> Value:
    """Return the value of a choice that has been drawn.

    Raises:
        TypeError: it still has several; call `resolved` first.
    """
    if isinstance(choice, tuple):
        raise TypeError(f"injection: nothing was drawn from {choice!r}; call resolved() on the options first")
    return choice


def inside(rows: Rows, span: Span) -> pd.Series[bool]:
    """Say of each row whether its event time lies in the span."""
    return (rows["time_ms"] >= span.since_ms) & (rows["time_ms"] < span.until_ms)


def declared(rows: Rows, column: str) -> str:
    """Return the column's name.

    Raises:
        ValueError: the rows have no such column.
    """
    if column not in rows.columns:
        raise ValueError(f"injection: there is no column {column!r}; there are {', '.join(map(str, rows.columns))}")
    return column
