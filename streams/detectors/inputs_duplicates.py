"""Rows that say the same as others of their bucket: producers that send twice, sources that are stuck."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from streams.contracts.summaries import InputSummary
from streams.detectors._contrasts import share_level
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, Stateless, nothing
from streams.statistics.contents import distinct

_POWERS_OF_TWO = 1 / math.log(2)
_NONE = np.zeros(1)


class InputsDuplicates(Stateless):
    """Follows the share of contents (a row's declared columns) that more than one row has, and how many rows there are for each.

    The first is that of a fair sample of contents, so it finds a small share of rows that come twice; the second finds the one
    row that comes a thousand times, which a sample of contents is likely to lack. How many rows are alike by chance depends on
    how many come at all, and on how coarse the columns are: nothing is said before what is usual of buckets was learnt from a
    whole log (`driftwake calibrate`). Source of both: `streams/statistics/contents.py`.
    """

    def __init__(self, setup: Setup) -> None:
        share = setup.floors.share
        self.signals: Sequence[Signal] = [
            Signal("data_quality", "rows", "repeated", "share of distinct rows", share, 0.0, share=0.0, rises_only=True),
            Signal(
                "data_quality",
                "rows",
                "copies",
                "powers of two",
                -math.log2(1 - share) if share < 1 else math.inf,
                0.0,
                scale=_POWERS_OF_TWO,
                rises_only=True,
            ),
        ]

    def read(self, view: BucketView) -> Readings:
        """Read the sketch of contents."""
        inputs = view.inputs
        if inputs is None or not inputs.contents:
            return nothing(len(self.signals))
        # Both vary at most as much as a share of the contents in the sketch would.
        seen = float(len(inputs.contents))
        repeated = np.array([float(_repeated(inputs))])
        copies = math.log(_fit(inputs) / distinct(inputs.contents))
        level = np.r_[share_level(repeated, np.array([seen]), _NONE), copies]
        return Readings(level, np.full(2, seen), np.r_[repeated / seen, copies * _POWERS_OF_TWO])

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the share of contents that are repeated, or the mean number of rows for each."""
        found = [view.inputs for view in views if view.inputs is not None and view.inputs.contents]
        if self.signals[index].aspect == "repeated":
            seen = sum(len(inputs.contents) for inputs in found)
            return Sketch({}, {"share": sum(map(_repeated, found)) / max(seen, 1), "buckets": float(len(found))})
        rows, contents = sum(map(_fit, found)), sum(distinct(inputs.contents) for inputs in found)
        return Sketch({}, {"rows": float(rows), "distinct rows": round(contents, 1)})


def _repeated(inputs: InputSummary) -> int:
    return sum(rows > 1 for _, rows in inputs.contents)


def _fit(inputs: InputSummary) -> int:
    return inputs.rows - inputs.suspect


def open_detector(setup: Setup) -> InputsDuplicates:
    """Open it."""
    return InputsDuplicates(setup)
