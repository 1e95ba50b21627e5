"""Requests of one bucket and bundle, counted on the bundle's own reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from streams.contracts.bundle import Profile
from streams.contracts.schema import ModelSchema
from streams.contracts.summaries import SAMPLED_SCORE, InputSummary
from streams.measuring.sampling import BottomK, Row, position_hashes
from streams.statistics import arrivals, waits
from streams.statistics.contents import Contents, content_hashes
from streams.statistics.counts import NO_VALUES, CategoryTable, NumberTable


class InputAccumulator:
    """One bucket's rows of one bundle. Suspect rows are counted, and held out of everything else.

    What was rejected before a row counts with it. Contents are counted on request: they cost more than any other part. So are
    waits and arrivals, of rows that say when they were received.
    """

    def __init__(
        self,
        schema: ModelSchema,
        profile: Profile,
        sample_rows: int,
        *,
        counts_contents: bool = False,
        counts_waits: bool = False,
        counts_arrivals: bool = False,
    ) -> None:
        self._schema = schema
        self._declared = [column.name for column in schema.columns]
        untagged = {column.name for column in schema.features if not column.tags}
        self._numbers = {name: NumberTable(one) for name, one in profile.numbers.items()}
        self._categories = {name: CategoryTable(one) for name, one in profile.categories.items()}
        self._score = NumberTable(profile.score)
        tables: dict[str, NumberTable | CategoryTable] = {**self._numbers, **self._categories}
        self._counted = {name: np.zeros(table.width, np.int64) for name, table in tables.items()}
        self._extremes = dict.fromkeys(self._numbers, NO_VALUES)
        self._scored = np.zeros(self._score.width, np.int64)
        self._sampled = [name for name in tables if name in untagged or name not in self._declared]
        self._sample = BottomK(sample_rows)
        self._contents = Contents() if counts_contents else None
        self._waits = np.zeros(waits.BINS if counts_waits else 0, np.int64)
        self._arrivals = np.zeros(arrivals.BINS if counts_arrivals else 0, np.int64)
        self._rows = self._suspect = self._rejected = 0

    def add(self, predictions: Sequence[Any], written_ms: Sequence[int]) -> None:
        """Count predictions that this bundle gave in this bucket.

        Args:
            predictions: structs, as `TypedDecoder` makes them [n].
            written_ms: when the broker got each [n].
        """
        rows = [row for row in predictions if not row.flags]
        self._rows += len(predictions)
        self._suspect += len(predictions) - len(rows)
        self._rejected += sum(row.rejected_before for row in predictions)
        self._count_times(predictions, written_ms)
        if not rows:
            return
        one = np.zeros(len(rows), np.int64)
        cells = self._cells(rows)
        if self._contents is not None:
            columns = self._schema.columns
            self._contents.add(content_hashes([_values(cells[column.name], column.kind) for column in columns]))
        for name, numbers in self._numbers.items():
            values = _floats(cells[name])
            self._counted[name] += numbers.count(values, one, 1)[0]
            least, most = self._extremes[name]
            self._extremes[name] = (float(np.fmin.reduce(values, initial=least)), float(np.fmax.reduce(values, initial=most)))
        for name, categories in self._categories.items():
            self._counted[name] += categories.count(cells[name], one, 1)[0]
        self._scored += self._score.count(_floats([row.score for row in rows]), one, 1)[0]
        for partition in {row.partition for row in rows}:
            of_partition = [row for row in rows if row.partition == partition]
            offsets = np.array([row.offset for row in of_partition], np.int64)
            self._sample.add(position_hashes(partition, offsets), lambda i, rows=of_partition: self._row(rows[i]))  # type: ignore[misc]

    def _count_times(self, predictions: Sequence[Any], written_ms: Sequence[int]) -> None:
        if not len(self._waits) and not len(self._arrivals):
            return
        pairs = zip(predictions, written_ms, strict=True)
        found = [(row.time_ms, row.received_ms, written) for row, written in pairs if row.received_ms is not None]
        asked, received, answered = np.array(found, np.int64).reshape(-1, 3).T
        if len(self._waits):
            self._waits += waits.count_waits(answered - received)
        if len(self._arrivals):
            self._arrivals += arrivals.count_arrivals(received - asked)

    def _cells(self, rows: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
        """The values of each counted column, in the order of the rows."""
        columns = zip(*[msgspec.structs.astuple(row.columns) for row in rows], strict=True)
        cells: dict[str, Sequence[Any]] = dict(zip(self._declared, columns, strict=True))
        for name in self._counted.keys() - cells.keys():
            cells[name] = [row.windows.get(name) for row in rows]
        return cells

    def _row(self, row: Any) -> Row:
        columns = msgspec.structs.asdict(row.columns)
        return {name: columns.get(name, row.windows.get(name)) for name in self._sampled} | {SAMPLED_SCORE: row.score}

    def summary(self, model: str, digest: str, partition: int, bucket: tuple[int, int], late: int) -> InputSummary:
        """Return what was counted."""
        return InputSummary(
            model=model, digest=digest, partition=partition, bucket_start_ms=bucket[0], bucket_end_ms=bucket[1],
            rows=self._rows, late=late, suspect=self._suspect, rejected=self._rejected,
            numbers={name: table.counts(self._counted[name], self._extremes[name]) for name, table in self._numbers.items()},
            categories={name: table.counts(self._counted[name]) for name, table in self._categories.items()},
            score=self._score.counts(self._scored, NO_VALUES), sample=self._sample.rows,
            contents=self._contents.counted if self._contents is not None else [],
            waits=self._waits.tolist(), arrivals=self._arrivals.tolist(),
        )  # fmt: skip


def _values(values: Sequence[Any], kind: str) -> npt.NDArray[np.float64] | Sequence[str | None]:
    return _floats(values) if kind == "number" else values


def _floats(values: Sequence[float | None]) -> npt.NDArray[np.float64]:
    """None becomes NaN."""
    return np.array(values, dtype=np.float64)
