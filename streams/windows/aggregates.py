"""Aggregates over ranges of sorted facts: what one run has, what several have together, and what comes of it.

Online there are several runs, offline there is one; both read them here. SQL (`sql`) shares no code with this.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from streams.contracts.features import Aggregate, Window
from streams.windows.distinct import gathered, unique_pairs
from streams.windows.facts import Floats, Integers
from streams.windows.latest import NONE, Latest, Newest, nth_newest
from streams.windows.ranges import Extremes, Moments, Ranges
from streams.windows.sums import Running, totals

HOUR_MS: Final = 3_600_000
NO_SPREAD: Final = 1e-9
"""A standard deviation of less than this part of the mean is rounding: it is 0."""


class Sorted(Protocol):
    """Facts sorted by key and time."""

    @property
    def at(self) -> Integers:
        """Places: ascending, and equal for facts of one key at one time."""
        ...

    @property
    def values(self) -> Sequence[Floats] | Floats:
        """The columns, NaN where missing."""
        ...

    def times(self) -> Integers:
        """Their times, shape (facts,)."""
        ...

    def times_at(self, places: Integers) -> Integers:
        """The times of some of them, by their index; shape (places,)."""
        ...

    def elapsed(self) -> Floats:
        """Their times in ms since a moment that all runs of a store share, which floats hold exactly; shape (facts,)."""
        ...

    def made(self, what: str, column: int, make: Callable[[], Any]) -> Any:
        """Return what was made of a column; make it the first time."""
        ...


class Family(Protocol):
    """Aggregates that read the same of facts. What is found has (ranges,) as its last axis, but for `Distinct`."""

    def of(self, run: Sorted, column: int, start: Integers, stop: Integers) -> Any:
        """Return what a run has in each [start, stop), which no time lies across; shape (ranges,) both."""
        ...

    def both(self, one: Any, other: Any) -> Any:
        """Return what two runs have together."""
        ...

    def results(self, found: Any, ranges: int) -> Mapping[str, Floats]:
        """Return what comes of it, by aggregate, each of shape (ranges,), NaN where missing."""
        ...


class Counted:
    """How many facts there are."""

    def of(self, run: Sorted, column: int, start: Integers, stop: Integers) -> Floats:
        """Count."""
        return (stop - start).astype(np.float64)

    def both(self, one: Floats, other: Floats) -> Floats:
        """Add."""
        return one + other

    def results(self, found: Floats, ranges: int) -> Mapping[str, Floats]:
        """Return the count."""
        return {"count": found}


class Summed:
    """How many values there are, and their sum."""

    def of(self, run: Sorted, column: int, start: Integers, stop: Integers) -> Integers:
        """Count and add up."""
        sums: Running = run.made("sums", column, lambda: Running(run.values[column]))
        return sums.between(start, stop)

    def both(self, one: Integers, other: Integers) -> Integers:
        """Add."""
        return one + other

    def results(self, found: Integers, ranges: int) -> Mapping[str, Floats]:
        """Return sum and mean."""
        count, total = totals(found)
        return {"sum": total, "mean": np.divide(total, count, out=np.full(ranges, np.nan), where=count > 0)}


class Outermost:
    """The least and the largest value."""

    _fold = Extremes()

    def of(self, run: Sorted, column: int, start: Integers, stop: Integers) -> Floats:
        """Look for them."""
        ranges = run.made("extremes", column, lambda: Ranges(self._fold, run.values[column][None]))
        return ranges.between(start, stop)

    def both(self, one: Floats, other: Floats) -> Floats:
        """Keep the outer ones."""
        return self._fold.combine(one, other)

    def results(self, found: Floats, ranges: int) -> Mapping[str, Floats]:
        """Return both."""
        low, high = np.where(np.isinf(found), np.nan, found)
        return {"min": low, "max": high}


class Spread:
    """How values vary, and how they move with time."""

    _fold = Moments()

    def of(self, run: Sorted, column: int, start: Integers, stop: Integers) -> Floats:
        """Return their moments."""
        ranges = run.made("moments", column, lambda: Ranges(self._fold, np.stack([run.values[column], run.elapsed()])))
        return ranges.between(start, stop)

    def both(self, one: Floats, other: Floats) -> Floats:
        """Return their joint moments."""
        return self._fold.combine(one, other)

    def results(self, found: Floats, ranges: int) -> Mapping[str, Floats]:
        """Return standard deviation and slope."""
        count, mean, _, squares, of_time, products = found
        variance = np.divide(squares, count - 1, out=np.full(ranges, np.nan), where=count > 1)
        std = np.sqrt(variance)
        std[std <= NO_SPREAD * np.abs(mean)] = 0.0
        slope = np.divide(products, of_time, out=np.full(ranges, np.nan), where=of_time > 0)
        return {"std": std, "trend": slope * HOUR_MS}


class Recent:
    """The newest values.

    Args:
        back: how far back is looked.
    """

    def __init__(self, back: int) -> None:
        self._back = back

    def of(self, run: Sorted, column: int, start: Integers, stop: Integers) -> Newest:
        """Look from the end."""
        latest = run.made("latest", column, lambda: Latest(run.at, run.times(), run.values[column]))
        return latest.between(start, stop, self._back)

    def both(self, one: Newest, other: Newest) -> Newest:
        """Keep all; which of them are the newest is seen at the end."""
        return Newest(np.concatenate([one.times, other.times]), np.concatenate([one.values, other.values]))

    def results(self, found: Newest, ranges: int) -> Mapping[str, Floats]:
        """Return the value."""
        _, values = nth_newest(found, self._back)
        return {"last": values, "lag": values}


class Since:
    """The newest fact's time, whatever its values."""

    def of(self, run: Sorted, column: int, start: Integers, stop: Integers) -> Integers:
        """Look at the end."""
        if not len(run.at):
            return np.full(len(start), NONE)
        return np.where(stop > start, run.times_at(np.maximum(stop - 1, 0)), NONE)

    def both(self, one: Integers, other: Integers) -> Integers:
        """Keep the newer."""
        return np.maximum(one, other)

    def results(self, found: Integers, ranges: int) -> Mapping[str, Floats]:
        """Return the time; whoever knows the row's makes seconds of it."""
        return {"since": np.where(found == NONE, np.nan, found.astype(np.float64))}


class Pairs(NamedTuple):
    """Numbers of ranges, and a value that each has; both of shape (found,)."""

    ranges: Integers
    values: Floats


class Different:
    """How many different values there are. It looks at every fact of a range."""

    def of(self, run: Sorted, column: int, start: Integers, stop: Integers) -> Pairs:
        """Gather them."""
        return Pairs(*gathered(run.values[column], start, stop))

    def both(self, one: Pairs, other: Pairs) -> Pairs:
        """Keep each once."""
        joint = unique_pairs(np.concatenate([one.ranges, other.ranges]), np.concatenate([one.values, other.values]))
        return Pairs(*joint)

    def results(self, found: Pairs, ranges: int) -> Mapping[str, Floats]:
        """Count them."""
        return {"distinct": np.bincount(found.ranges, minlength=ranges).astype(np.float64)}


_FAMILIES: Mapping[Aggregate, Family] = {
    "count": Counted(),
    **dict.fromkeys(("sum", "mean", "ratio"), Summed()),
    **dict.fromkeys(("min", "max"), Outermost()),
    **dict.fromkeys(("std", "trend"), Spread()),
    "distinct": Different(),
    "since": Since(),
}


def family_of(spec: Window) -> Family:
    """Return what computes a spec, the same object for specs that can be read together."""
    return _recent(spec.back) if spec.aggregate in {"last", "lag"} else _FAMILIES[spec.aggregate]


_recent = functools.cache(Recent)


def finished(spec: Window, results: Mapping[str, Floats], times: Integers, own: Floats | None) -> Floats:
    """Return a spec's values for rows at these times, shape (rows,); `own` are the rows' own values of its column."""
    if spec.aggregate == "since":
        return (times - results["since"]) / 1_000.0
    if spec.aggregate != "ratio":
        return results[spec.aggregate]
    mean = results["mean"]
    if own is None:
        raise ValueError(f"{spec.text}: the rows' own values are needed")
    return np.divide(own, mean, out=np.full(len(mean), np.nan), where=(mean != 0) & ~np.isnan(mean))
