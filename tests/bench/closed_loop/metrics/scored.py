"""One policy's scores with the truth beside them, and the spans of time they are judged over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, NamedTuple, Self
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from skills._kit.frames import Floats, Integers

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS

LEAST_SHARE = 4 / 7
"""A week or month cut off by the end of the scored span counts from this share of its length: four days of a week."""

Group = Literal["week", "month", "all"]


class Span(NamedTuple):
    """Event times in [since, until), epoch milliseconds."""

    since_ms: int
    until_ms: int


class Scored(NamedTuple):
    """Rows in order of event time [rows]: epoch ms, the truth (NaN: none known), one policy's score (NaN: it had none)."""

    time_ms: Integers
    label: Floats
    score: Floats

    @classmethod
    def of(cls, time_ms: npt.ArrayLike, label: npt.ArrayLike, score: npt.ArrayLike) -> Self:
        """Take columns in any order of time; rows of one millisecond keep their order.

        Raises:
            ValueError: the columns aren't equally long.
        """
        times = np.asarray(time_ms, dtype=np.int64)
        labels, scores = np.asarray(label, dtype=np.float64), np.asarray(score, dtype=np.float64)
        if not len(times) == len(labels) == len(scores):
            raise ValueError(f"time_ms, label and score have {len(times)}, {len(labels)} and {len(scores)} rows")
        order = np.argsort(times, kind="stable")
        return cls(times[order], labels[order], scores[order])

    def within(self, span: Span) -> Self:
        """Return the rows whose event time lies in a span."""
        first, last = np.searchsorted(self.time_ms, span)
        rows = slice(int(first), int(last))
        return type(self)(self.time_ms[rows], self.label[rows], self.score[rows])

    def labelled(self) -> Self:
        """Return the rows whose truth is known."""
        return self._chosen(np.isfinite(self.label))

    def usable(self) -> Self:
        """Return the rows that have both a truth and a score."""
        return self._chosen(np.isfinite(self.label) & np.isfinite(self.score))

    def _chosen(self, rows: npt.NDArray[np.bool_]) -> Self:
        return type(self)(self.time_ms[rows], self.label[rows], self.score[rows])


def spans_of(group: Group, span: Span, zone: str = "UTC") -> tuple[Span, ...]:
    """Cut a span the way a data set's quality is averaged.

    `week`: seven days each, counted from the span's first moment. `month`: calendar months of a time zone. A week or month
    of which less than `LEAST_SHARE` lies in the span is left out. `all`: the span itself.
    """
    if group == "all":
        return (span,)
    whole = _weeks(span) if group == "week" else _months(span, ZoneInfo(zone))
    cut = ((Span(max(one.since_ms, span.since_ms), min(one.until_ms, span.until_ms)), one) for one in whole)
    return tuple(kept for kept, one in cut if _length(kept) >= LEAST_SHARE * _length(one))


def equal_spans(span: Span, length_ms: int) -> tuple[Span, ...]:
    """Cut a span into windows of one length from its first moment on; what is left over at the end is left out."""
    last = span.until_ms - length_ms
    return tuple(Span(since, since + length_ms) for since in range(span.since_ms, last + 1, length_ms))


def _length(span: Span) -> int:
    return span.until_ms - span.since_ms


def _weeks(span: Span) -> list[Span]:
    return [Span(since, since + WEEK_MS) for since in range(span.since_ms, span.until_ms, WEEK_MS)]


def _months(span: Span, zone: ZoneInfo) -> list[Span]:
    first = datetime.fromtimestamp(span.since_ms / 1_000, zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    found: list[Span] = []
    while (since_ms := _epoch_ms(first)) < span.until_ms:
        following = (first + timedelta(days=32)).replace(day=1)
        found.append(Span(since_ms, _epoch_ms(following)))
        first = following
    return found


def _epoch_ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000)
