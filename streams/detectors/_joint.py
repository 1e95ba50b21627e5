"""Rows as points of one space: a bundle's reference and the sampled rows of a bucket, for detectors that look at all columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from scipy import stats

from streams.contracts.summaries import InputSummary
from streams.detectors._tested import FEWEST
from streams.detectors.base import BucketView, Floats, Setup
from streams.statistics.scan import LENGTHS

WATCHED = "all columns"

# Of a larger reference so many rows are taken, evenly. A training's is no larger.
_MOST_ROWS = 5_000
# What fewer rows have, or nearly all, has no axis: few rows would lie far out, and be most of any distance.
_FREQUENT = 0.05
_MISSING = ""
_SEED = 1

Values = Sequence[Any]
"""A column's values as they come in Parquet or JSON: a missing one is None, NaN or the empty text."""


class Space:
    """The columns of a reference as axes of about the same width.

    A number is the normal score of its rank in the reference, 0 where it is missing: an outlier lies no farther out than the
    reference's largest value, and units and rising transformations change nothing. Source: van der Waerden, B. L. (1952), "Order
    tests for the two-sample problem and their power", Indagationes Mathematicae 14, 453-458. That it is missing is an indicator,
    and so is each category, if between 5 and 95 % of the reference's rows have it; indicators have mean 0, and those of a column
    add up to variance 1. A number that is the same in 95 % of the rows has no axis either.

    Args:
        columns: the reference's rows, by column, all of one length.
        numbers: which columns are numbers; the others are categories.
    """

    def __init__(self, columns: Mapping[str, Values], numbers: Mapping[str, object]) -> None:
        made = {name: (_Number if name in numbers else _Category)(values) for name, values in columns.items()}
        self._columns = {name: column for name, column in made.items() if column.width}
        self.columns: list[str] = [name for name, column in self._columns.items() for _ in range(column.width)]
        """The column that each axis is of [d]."""

    def place(self, columns: Mapping[str, Values]) -> Floats:
        """Return rows as points [rows, d], given the values of at least the space's columns."""
        return np.hstack([column.place(columns[name]) for name, column in self._columns.items()])

    def sampled(self, inputs: InputSummary | None) -> Floats | None:
        """Return a bucket's sampled rows as points [rows, d].

        None where there are too few of them, or where none of them knows of a column that the space has.
        """
        return self.placed([row for _, row in inputs.sample] if inputs is not None else [])

    def placed(self, rows: Sequence[Mapping[str, Any]]) -> Floats | None:
        """Return some of the rows of a sample as points [rows, d], None as above."""
        if len(rows) < FEWEST or not self._columns.keys() <= set().union(*rows):
            return None
        return self.place({name: [row.get(name) for row in rows] for name in self._columns})


class Joint(NamedTuple):
    """A reference's space, and its rows in it [rows, d], in an order that is random but always the same."""

    space: Space
    reference: Floats


def joint_of(setup: Setup) -> Joint | None:
    """Read the reference's rows; None where there are too few of them, or nothing varies.

    Only columns that the profile knows are taken: of those a bucket's sample has values.
    """
    table = setup.read_rows()
    if table is None or table.num_rows < FEWEST:
        return None
    kept = [name for name in table.column_names if name in setup.profile.numbers or name in setup.profile.categories]
    columns = shuffled(table.select(kept)).to_pydict()
    space = Space(columns, setup.profile.numbers)
    return Joint(space, space.place(columns)) if space.columns else None


def shuffled(table: pa.Table) -> pa.Table:
    """Return the rows of a table, or as many as are needed of a large one, in an order that is random but always the same."""
    evenly = np.linspace(0, table.num_rows, min(table.num_rows, _MOST_ROWS), endpoint=False).astype(np.int64)
    return table.take(pa.array(np.random.default_rng(_SEED).permutation(evenly)))


class Remembered:
    """Some numbers of each of the last buckets, for sketches: the views that they get have no samples."""

    def __init__(self) -> None:
        self._found: dict[int, dict[str, float]] = {}

    def keep(self, view: BucketView, found: dict[str, float]) -> None:
        """Keep what was found in a bucket, for as long as stretches go back that are looked at."""
        self._found[view.start_ms] = found
        while len(self._found) > LENGTHS[-1]:
            del self._found[next(iter(self._found))]

    def mean(self, views: Sequence[BucketView]) -> dict[str, float]:
        """Return the means over those of the buckets that are remembered; empty where none is."""
        found = [self._found[view.start_ms] for view in views if view.start_ms in self._found]
        return {name: sum(one[name] for one in found) / len(found) for name in found[0]} if found else {}


class _Number:
    """A number's axes: its normal scores, and whether it is missing."""

    def __init__(self, values: Values) -> None:
        numbers = floats_of(values)
        self._sorted = np.sort(numbers[~np.isnan(numbers)])
        same = int(np.unique(self._sorted, return_counts=True)[1].max(initial=0))
        self._varies = same < (1 - _FREQUENT) * len(self._sorted)
        self._missing = _Indicators(_present(numbers), [_MISSING])
        self.width = int(self._varies) + self._missing.width

    def place(self, values: Values) -> Floats:
        numbers = floats_of(values)
        missing = self._missing.place(_present(numbers))
        return np.c_[self._scores(numbers), missing] if self._varies else missing

    def _scores(self, numbers: Floats) -> Floats:
        known = len(self._sorted)
        below, up_to = np.searchsorted(self._sorted, numbers), np.searchsorted(self._sorted, numbers, side="right")
        rank = (below + up_to) / (2 * known)
        return np.where(np.isnan(numbers), 0.0, stats.norm.ppf(np.clip(rank, 0.5 / known, 1 - 0.5 / known)))


class _Category:
    """A category's axes: each frequent one, and whether it is missing."""

    def __init__(self, values: Values) -> None:
        texts = texts_of(values)
        self._indicators = _Indicators(texts, sorted(set(texts)))
        self.width = self._indicators.width

    def place(self, values: Values) -> Floats:
        return self._indicators.place(texts_of(values))


class _Indicators:
    """Which of some texts a row has, for those that are neither rare nor the rule in the reference."""

    def __init__(self, texts: Sequence[str], wanted: Sequence[str]) -> None:
        counts = Counter(texts)
        shares = {text: counts[text] / len(texts) for text in wanted}
        self._shares = {text: share for text, share in shares.items() if _FREQUENT <= share <= 1 - _FREQUENT}
        self.width = len(self._shares)

    def place(self, texts: Sequence[str]) -> Floats:
        """Return [rows, width]."""
        has = np.array([[text == one for one in self._shares] for text in texts], np.float64).reshape(len(texts), self.width)
        shares = np.array(list(self._shares.values()))
        return (has - shares) / np.sqrt(shares * (1 - shares) * max(self.width, 1))


def floats_of(values: Values) -> Floats:
    """Return numbers, NaN for whatever is none."""
    numbers = np.array([value if isinstance(value, int | float) else np.nan for value in values], np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _present(numbers: Floats) -> list[str]:
    return [_MISSING if is_missing else "known" for is_missing in np.isnan(numbers).tolist()]


def texts_of(values: Values) -> list[str]:
    """Return texts, the empty one for whatever is none."""
    return [value if isinstance(value, str) else _MISSING for value in values]
