"""Requests of one bucket and bundle, counted on the bundle's own reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streams.contracts.bundle import NumberProfile, Profile
from streams.contracts.records import Prediction
from streams.contracts.schema import ModelSchema
from streams.contracts.summaries import SAMPLED_SCORE, CategoryCounts, InputSummary, NumberCounts
from streams.measuring.sampling import BottomK, Row, position_hashes

_OPEN_EDGES: tuple[float, float] = (float("-inf"), float("inf"))


class NumberCounter:
    """Counts values on a reference's quantile bins; a value equal to an edge falls right of it."""

    def __init__(self, profile: NumberProfile) -> None:
        self._edges = np.asarray(profile.edges, np.float64)
        self._range = (profile.low, profile.high) if profile.low <= profile.high else _OPEN_EDGES
        self._bins = np.zeros(len(self._edges) + 1, np.int64)
        self._missing = self._low = self._high = 0

    def add(self, values: npt.NDArray[np.float64]) -> None:
        """Count values [n]; NaN is missing."""
        known = values[~np.isnan(values)]
        self._missing += len(values) - len(known)
        self._low += int(np.count_nonzero(known < self._range[0]))
        self._high += int(np.count_nonzero(known > self._range[1]))
        self._bins += np.bincount(np.searchsorted(self._edges, known, side="right"), minlength=len(self._bins))

    @property
    def counts(self) -> NumberCounts:
        """What was counted."""
        return NumberCounts(bins=self._bins.tolist(), missing=self._missing, low=self._low, high=self._high)


class CategoryCounter:
    """Counts the categories of a reference; all others are unseen."""

    def __init__(self, known: Sequence[str]) -> None:
        self._counts: Counter[str] = Counter(dict.fromkeys(known, 0))
        self._missing = self._unseen = 0

    def add(self, values: Sequence[float | str | None]) -> None:
        """Count values; null and the empty string are missing."""
        for value, count in Counter(values).items():
            if value is None or value == "":
                self._missing += count
            elif value in self._counts:
                self._counts[str(value)] += count
            else:
                self._unseen += count

    @property
    def counts(self) -> CategoryCounts:
        """What was counted."""
        return CategoryCounts(counts=dict(self._counts), missing=self._missing, unseen=self._unseen)


class InputAccumulator:
    """One bucket's rows of one bundle. Suspect rows are counted, and held out of everything else."""

    def __init__(self, schema: ModelSchema, profile: Profile, sample_rows: int) -> None:
        declared = {column.name for column in schema.columns}
        untagged = {column.name for column in schema.features if not column.tags}
        self._columns = [name for name in profile.numbers if name in declared]
        self._windows = [name for name in profile.numbers if name not in declared]
        self._numbers = {name: NumberCounter(known) for name, known in profile.numbers.items()}
        self._categories = {name: CategoryCounter(list(known.shares)) for name, known in profile.categories.items()}
        self._sampled = [name for name in (*profile.numbers, *profile.categories) if name in untagged or name not in declared]
        self._score = NumberCounter(profile.score)
        self._sample = BottomK(sample_rows)
        self._rows = self._suspect = 0

    def add(self, predictions: Sequence[Prediction]) -> None:
        """Count predictions that this bundle gave in this bucket."""
        rows = [row for row in predictions if not row.flags]
        self._rows += len(predictions)
        self._suspect += len(predictions) - len(rows)
        if not rows:
            return
        for name in self._columns:
            self._numbers[name].add(_floats([row.columns.get(name) for row in rows]))
        for name in self._windows:
            self._numbers[name].add(_floats([row.windows.get(name) for row in rows]))
        for name, counter in self._categories.items():
            counter.add([row.columns.get(name) for row in rows])
        self._score.add(_floats([row.score for row in rows]))
        for partition in {row.partition for row in rows}:
            of_partition = [row for row in rows if row.partition == partition]
            offsets = np.array([row.offset for row in of_partition], np.int64)
            self._sample.add(position_hashes(partition, offsets), lambda i, rows=of_partition: self._row(rows[i]))  # type: ignore[misc]

    def _row(self, row: Prediction) -> Row:
        sampled: Row = {name: row.columns.get(name, row.windows.get(name)) for name in self._sampled}
        return sampled | {SAMPLED_SCORE: row.score}

    def summary(self, model: str, digest: str, partition: int, bucket: tuple[int, int], late: int) -> InputSummary:
        """Return what was counted."""
        return InputSummary(
            model=model, digest=digest, partition=partition, bucket_start_ms=bucket[0], bucket_end_ms=bucket[1],
            rows=self._rows, late=late, suspect=self._suspect,
            numbers={name: counter.counts for name, counter in self._numbers.items()},
            categories={name: counter.counts for name, counter in self._categories.items()},
            score=self._score.counts, sample=self._sample.rows,
        )  # fmt: skip


def _floats(values: Sequence[float | str | None]) -> npt.NDArray[np.float64]:
    """None becomes NaN; a string can't be here, since the dialect has checked kinds."""
    return np.array(values, dtype=np.float64)
