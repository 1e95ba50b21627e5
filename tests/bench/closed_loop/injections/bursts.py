"""A new attack: bursts of small frauds within ten minutes, all on one key.

Each burst has a key of its own, 6 to 12 transactions, and amounts that genuine transactions have too, so that a single row
shows nothing: only how many came within minutes does.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from streams.runtime.durations import Duration
from tests.bench.closed_loop.injections.base import OneOf, Placed, Span, declared, single
from tests.bench.closed_loop.rows import DAY_MS, Rows, sort

KIND = "bursts"
LEAST, MOST = 6, 12
LASTS_SECONDS = 600
_DAY_SECONDS, _HOUR_MS = 86_400, 3_600_000


class Options(Placed):
    """Add `a_day` bursts on every day of the span; whole days only."""

    kind: Literal["bursts"]
    key: OneOf[str]
    """The column whose value is the same for all rows of a burst, drawn for each burst."""

    other: tuple[str, ...] = ()
    """Other keys, drawn for each row."""

    a_day: OneOf[int]
    amount: str = "amount"
    """The column of the amounts."""

    below: float = Field(default=60, gt=0)
    """Amounts are drawn from those of genuine rows below this."""

    label_delay: Duration = Duration.of("7d")
    """When the added rows' label becomes known."""


def inject(rows: Rows, options: Options, span: Span, rng: np.random.Generator) -> Rows:
    """Return the rows with the bursts among them.

    Columns that aren't drawn (hour, weekend) follow from the time: they are those of the nearest row of the same clock hour.

    Raises:
        ValueError: the span isn't whole days, or the rows have no such column.
    """
    days, rest = divmod(span.until_ms - span.since_ms, DAY_MS)
    if rest:
        raise ValueError("injection: bursts come by the day; leave out first_hour and last_hour")
    key = declared(rows, single(options.key))
    amounts = rows[declared(rows, options.amount)]
    small = amounts[(rows["label"] == 0) & (amounts < options.below)].to_numpy()
    values = {name: _values(rows, name) for name in (key, *options.other)}
    bursts = []
    for number, day in enumerate(np.repeat(np.arange(days), single(options.a_day))):
        rows_of_it = int(rng.integers(LEAST, MOST + 1))
        begin = int(day) * _DAY_SECONDS + int(rng.integers(0, _DAY_SECONDS - LASTS_SECONDS))
        seconds = begin + np.sort(rng.integers(0, LASTS_SECONDS, rows_of_it))
        burst: dict[str, Any] = {
            "id": [f"{span.since_ms}-{key}-{number:05d}-{row:02d}" for row in range(rows_of_it)],
            "time_ms": span.since_ms + seconds * 1_000,
            key: values[key][rng.integers(0, len(values[key]))],
        }
        burst |= {name: values[name][rng.integers(0, len(values[name]), rows_of_it)] for name in options.other}
        bursts.append(pd.DataFrame(burst | {options.amount: rng.choice(small, rows_of_it)}))
    added = pd.concat(bursts, ignore_index=True)
    added = added.assign(label=1.0, told=1.0, known_ms=(added["time_ms"] + options.label_delay.ms).astype("float64"))
    return sort(pd.concat([rows, _complete(added, rows)[list(rows.columns)]], ignore_index=True))


def _values(rows: Rows, column: str) -> Any:
    """Return the values that a key has, sorted."""
    return np.array(sorted(rows[declared(rows, column)].dropna().unique()), dtype=object)


def _complete(added: pd.DataFrame, rows: Rows) -> pd.DataFrame:
    """Give the added rows the columns that they haven't got."""
    times, when = rows["time_ms"].to_numpy(), added["time_ms"].to_numpy()
    before = np.clip(np.searchsorted(times, when, side="right") - 1, 0, len(rows) - 1)
    after = np.clip(before + 1, 0, len(rows) - 1)
    nearest = np.where(times[before] // _HOUR_MS == when // _HOUR_MS, before, after)
    absent = [name for name in rows.columns if name not in added.columns]
    return added.join(rows[absent].iloc[nearest].reset_index(drop=True))
