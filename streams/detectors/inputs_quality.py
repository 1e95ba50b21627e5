"""Broken inputs: more values missing, out of the reference's range or in unseen categories than before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from streams.contracts.bundle import Profile
from streams.contracts.summaries import CategoryCounts, InputSummary, NumberCounts
from streams.detectors._contrasts import share_level
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, Stateless, nothing

MISSING, OUT_OF_RANGE, UNSEEN = "missing", "out of range", "unseen category"


class _Rate(NamedTuple):
    column: str
    aspect: str
    share: float
    """What is to be expected of new rows."""


class InputsQuality(Stateless):
    """Follows the share of bad values of each column.

    A share of 0 in a finite reference is no proof of 0, so each expectation counts half a row more than the reference has.
    Beyond its extremes as many new values are to be expected as the reference has extremes: all are draws from one population.
    """

    def __init__(self, setup: Setup) -> None:
        self._rates = list(_rates(setup.profile))
        self._shares = np.array([rate.share for rate in self._rates])
        self.signals: Sequence[Signal] = [
            Signal(
                "data_quality",
                rate.column,
                rate.aspect,
                "share of rows",
                setup.floors.share,
                setup.profile.rows,
                share=rate.share,
                rises_only=True,
            )
            for rate in self._rates
        ]

    def read(self, view: BucketView) -> Readings:
        """Read the counts of all columns."""
        if view.inputs is None:
            return nothing(len(self.signals))
        found = np.array([_hits(rate, view.inputs) for rate in self._rates], np.float64).reshape(-1, 2)
        hits, rows = found[:, 0], found[:, 1]
        effect = np.where(rows > 0, hits / np.maximum(rows, 1) - self._shares, np.nan)
        return Readings(share_level(hits, rows, self._shares), rows, effect)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the share of bad values."""
        rate = self._rates[index]
        found = np.sum([_hits(rate, view.inputs) for view in views if view.inputs is not None] or [(0, 0)], axis=0)
        return Sketch({"share": rate.share}, {"share": float(found[0]) / max(float(found[1]), 1.0), "rows": float(found[1])})


def _rates(profile: Profile) -> Iterator[_Rate]:
    for name, number in profile.numbers.items():
        yield _Rate(name, MISSING, _expected(number.missing, profile.rows))
        yield _Rate(name, OUT_OF_RANGE, min(2.0 / (profile.rows * (1 - number.missing) + 1.0), 1.0))
    for name, category in profile.categories.items():
        known = profile.rows * (1 - category.missing)
        yield _Rate(name, MISSING, _expected(category.missing, profile.rows))
        yield _Rate(name, UNSEEN, _expected(max(1.0 - sum(category.shares.values()), 0.0), known))


def _expected(share: float, rows: float) -> float:
    return min((share * rows + 0.5) / (rows + 1.0), 1.0)


def _hits(rate: _Rate, inputs: InputSummary) -> tuple[int, int]:
    """Bad values and values of a column."""
    counts = inputs.numbers.get(rate.column) or inputs.categories.get(rate.column)
    if counts is None:
        return 0, 0
    if isinstance(counts, NumberCounts):
        known = sum(counts.bins)
        return (counts.missing, known + counts.missing) if rate.aspect == MISSING else (counts.low + counts.high, known)
    return _category_hits(rate.aspect, counts)


def _category_hits(aspect: str, counts: CategoryCounts) -> tuple[int, int]:
    known = sum(counts.counts.values()) + counts.unseen
    return (counts.missing, known + counts.missing) if aspect == MISSING else (counts.unseen, known)


def open_detector(setup: Setup) -> InputsQuality:
    """Open it."""
    return InputsQuality(setup)
