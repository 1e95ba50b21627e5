"""Outcomes of one bucket, slot and bundle: loss and score moments in integers, so that sums don't depend on order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from streams.contracts.schema import Task
from streams.contracts.slices import Slice
from streams.contracts.summaries import FIXED, SCORE_BINS, LossSummary, SliceLosses
from streams.statistics.slices import Slicer

# The smallest probability that log loss is taken of: a float32 score of 0 or 1 is a rounded one.
_EPSILON = 1e-7
_LARGEST = 1e24
_INT64_SAFE = float(1 << 62)


class LossAccumulator:
    """Adds up scores and labels; `binary` by log loss and score histograms, `regression` by squared error."""

    def __init__(self, task: Task, slices: Sequence[Slice] = ()) -> None:
        self._task = task
        self._slices = [(one.name, SliceLosses(rows=0, loss=0, loss_squares=0)) for one in slices]
        self._slicer = Slicer(slices)
        self._rows = self._loss = self._loss_squares = self._brier = self._delay_ms = 0
        self._labels = self._label_squares = self._scores = 0
        bins = SCORE_BINS if task == "binary" else 0
        self._positives = np.zeros(bins, np.int64)
        self._negatives = np.zeros(bins, np.int64)
        self._cohorts: Counter[int] = Counter()

    def add(
        self,
        scores: npt.NDArray[np.float64],
        labels: npt.NDArray[np.float64],
        delay_ms: npt.NDArray[np.int64],
        columns: Sequence[Any],
    ) -> None:
        """Add rows: scores [n], labels [n], times from request to known label [n], and the structs of their columns [n]."""
        square = (scores - labels) ** 2
        loss = _log_loss(scores, labels) if self._task == "binary" else square
        self._rows += len(scores)
        self._loss += _fixed(loss)
        self._loss_squares += _fixed(loss**2)
        self._brier += _fixed(square)
        self._delay_ms += int(delay_ms.sum())
        self._labels += _fixed(labels)
        self._label_squares += _fixed(labels**2)
        self._scores += _fixed(scores)
        if self._task == "binary":
            bins = np.clip((scores * SCORE_BINS).astype(np.int64), 0, SCORE_BINS - 1)
            self._positives += np.bincount(bins[labels == 1], minlength=SCORE_BINS)
            self._negatives += np.bincount(bins[labels == 0], minlength=SCORE_BINS)
        self._add_slices(loss, columns)

    def add_cohorts(self, begins_ms: npt.NDArray[np.int64]) -> None:
        """Count rows by the begins of the cohorts to which their requests belong [n]."""
        self._cohorts.update(begins_ms.tolist())

    def _add_slices(self, loss: npt.NDArray[np.float64], columns: Sequence[Any]) -> None:
        if not self._slices:
            return
        inside = self._slicer.rows(lambda name: [getattr(row, name, None) for row in columns])
        found = zip(inside.sum(axis=1).tolist(), _fixed_sums(inside, loss), _fixed_sums(inside, loss**2), strict=True)
        for (_, sums), (rows, first, second) in zip(self._slices, found, strict=True):
            sums.rows += rows
            sums.loss += first
            sums.loss_squares += second

    def summary(self, model: str, slot: str, digest: str, partition: int, bucket: tuple[int, int], *, late: int) -> LossSummary:
        """Return the sums."""
        return LossSummary(
            model=model, slot=slot, digest=digest, partition=partition, bucket_start_ms=bucket[0], bucket_end_ms=bucket[1],
            rows=self._rows, loss=self._loss, loss_squares=self._loss_squares, brier=self._brier, delay_ms=self._delay_ms,
            positives=self._positives.tolist(), negatives=self._negatives.tolist(), late=late,
            slices=dict(self._slices),
            labels=self._labels, label_squares=self._label_squares, scores=self._scores,
            cohorts=sorted(self._cohorts.items()),
        )  # fmt: skip


def _log_loss(scores: npt.NDArray[np.float64], labels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    chance = np.clip(scores, _EPSILON, 1 - _EPSILON)
    return -np.where(labels == 1, np.log(chance), np.log1p(-chance))


def _fixed(values: npt.NDArray[np.float64]) -> int:
    """Round each row to fixed point first: then the sum is the same in any order. One row counts at most `_LARGEST`."""
    return _fixed_sums(np.ones((1, len(values)), np.bool_), values)[0]


def _fixed_sums(inside: npt.NDArray[np.bool_], values: npt.NDArray[np.float64]) -> list[int]:
    """Add up the values [n] that are inside of each slice [slices, n]."""
    units = np.rint(np.clip(values, -_LARGEST, _LARGEST) * FIXED)
    if np.abs(units).sum() < _INT64_SAFE:
        sums: list[int] = (inside @ units.astype(np.int64)).tolist()
        return sums
    # Squared errors of large targets: whole numbers of any size, a little slower.
    return [sum(map(int, units[one].tolist())) for one in inside]
