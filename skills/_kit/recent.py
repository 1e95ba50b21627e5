"""What a diagnosis reads: recent requests and outcomes, what came before them, and what was asked when the outcomes were."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from skills._kit.features import unflagged
from skills._kit.frames import integers
from streams.contracts.schema import ModelSchema
from streams.lake.lake import Lake

LOOK_BACK = 8
"""How many times as long a range may become so that it has rows enough."""

STRETCHES = 8
"""How many stretches of its length before a range are looked at."""

MOST_ROWS = 200_000
"""So many requests say what there is to say; where more came, about one in 2, 4, 8 and so on is looked at, with its labels."""

MOST = (0.1, 0.9)
"""Between these quantiles of their times lie most outcomes: a label that took a year would have a year read."""


class Range(NamedTuple):
    """Of which model is read, and which event time and label time is recent: [now - recent, now); one request of how many."""

    lake: Lake
    model: str
    now_ms: int
    recent_ms: int
    one_in: int = 1

    @property
    def since_ms(self) -> int:
        """Where it begins."""
        return self.now_ms - self.recent_ms

    def read(self, table: str, columns: Sequence[str], since_ms: int, until_ms: int, time_column: str | None = None) -> pa.Table:
        """Read rows with a time in [since, until), of the requests that are looked at.

        Raises:
            LakeError: they can't be read.
        """
        return self.lake.read(
            self.model, table, columns, since_ms=since_ms, until_ms=until_ms, time_column=time_column, one_in=self.one_in
        )


class Recent(NamedTuple):
    """What was read: recent predictions (all), outcomes that became known recently by this bundle, and those before.

    `stretches` are the numbers of earlier requests, in stretches as long as the recent range, the newest first.
    """

    predictions: pa.Table
    outcomes: pa.Table
    before: pa.Table
    stretches: list[pa.Table]


def reaching(of: Range, rows: int, most: int = MOST_ROWS) -> Range:
    """Return a range that has so many rows, if it may be made longer so far, and of which about `most` are read, or fewer."""
    found = of.lake.count(of.model, "predictions", since_ms=of.since_ms, until_ms=of.now_ms)
    if 0 < found < rows:
        return of._replace(recent_ms=min(int(of.recent_ms * min(LOOK_BACK, rows / found)), of.now_ms))
    return of._replace(one_in=2 ** max(math.ceil(math.log2(max(found, 1) / most)), 0))


def read_recent(of: Range, schema: ModelSchema) -> Recent:
    """Read what came recently, and the numbers of what came before."""
    declared = [column.name for column in schema.columns]
    wanted = ["id", "time_ms", *declared, "windows", "score", "digest", "flags"]
    predictions = of.read("predictions", wanted, of.since_ms, of.now_ms)
    known = ["id", "time_ms", "known_ms", "revision", *declared, "label", "score", "digest", "flags"]
    if not of.lake.exists(of.model, "outcomes"):
        empty = {name: pa.array([], predictions.schema.field(name).type) for name in known if name in wanted}
        empty |= {"known_ms": pa.array([], pa.int64()), "revision": pa.array([], pa.int32()), "label": pa.array([], pa.float64())}
        return Recent(predictions, pa.table(empty), pa.table(empty), _stretches(of, schema))
    edges = (max(0, of.since_ms - of.recent_ms), of.since_ms, of.now_ms)
    before, outcomes = (of.read("outcomes", known, first, last, "known_ms") for first, last in pairwise(edges))
    return Recent(predictions, outcomes, before, _stretches(of, schema))


def asked_with(of: Range, schema: ModelSchema, outcomes: pa.Table) -> pa.Table:
    """Read what was asked before the range when most of these outcomes were: where labels take long, they tell of that time."""
    times = integers(outcomes, "time_ms")
    first_ms, last_ms = np.quantile(times, MOST).astype(np.int64).tolist() if len(times) else (of.since_ms, of.since_ms)
    wanted = ["time_ms", *(column.name for column in schema.columns), "windows", "score", "flags"]
    return of.read("predictions", wanted, min(first_ms, of.since_ms), min(last_ms, of.since_ms))


def before(recent: Recent, schema: ModelSchema, since_ms: int, until_ms: int) -> list[pa.Table]:
    """Cut what came before a time in stretches as long as what came since, newest first."""
    length_ms = until_ms - since_ms
    parts = earlier(recent, schema)
    times = [integers(part, "time_ms") for part in parts]
    wanted = [(since_ms - count * length_ms, since_ms - (count - 1) * length_ms) for count in range(1, STRETCHES + 1)]
    return [
        pa.concat_tables(
            part.filter(pa.array((time_ms >= first) & (time_ms < last))) for part, time_ms in zip(parts, times, strict=True)
        )
        for first, last in wanted
    ]


def earlier(recent: Recent, schema: ModelSchema) -> Sequence[pa.Table]:
    """Return the times and numbers of all requests that were read, but suspect ones."""
    return [part.select(["time_ms", *schema.numbers]) for part in (unflagged(recent.predictions), *recent.stretches)]


def _stretches(of: Range, schema: ModelSchema) -> list[pa.Table]:
    """Return earlier stretches of the range's length, newest first; they are read at once."""
    ends = of.since_ms
    starts = [start for count in range(1, STRETCHES + 1) if (start := ends - count * of.recent_ms) >= 0]
    if not starts:
        return []
    names = ["time_ms", *schema.numbers, "flags"]
    rows = unflagged(of.read("predictions", names, starts[-1], ends))
    times = integers(rows, "time_ms")
    order = np.argsort(times, kind="stable")
    edges = np.searchsorted(times[order], [*starts[::-1], ends])
    parts = [rows.take(pa.array(order[first:last])) for first, last in pairwise(edges)]
    return parts[::-1]
