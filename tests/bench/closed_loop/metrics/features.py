"""Whether the missing feature was found, and what it was worth."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from skills._kit.frames import Floats
from streams.contracts.features import Aggregate, Source, Window
from tests.bench.closed_loop.metrics.measures import Metric, measure


class Planted(NamedTuple):
    """The window that a scenario hides: key columns, aggregate, facts, and the longest range that still shows it, in ms.

    `column` is the one that is aggregated, None for a count.
    """

    by: frozenset[str]
    aggregate: Aggregate
    source: Source
    at_most_range_ms: int
    column: str | None = None


def found_feature(planted: Planted, promoted: Iterable[Window]) -> Window | None:
    """Return the window of a promoted bundle that is the planted one, the shortest if there are several; None if none is.

    The same key columns (their order doesn't matter; a further key would count something else), the same aggregate of the same
    column over the same facts, and a range no longer than the planted one's. The delay doesn't matter. A ratio holds the mean
    that it is made of.
    """
    return min((window for window in promoted if _is_planted(planted, window)), key=lambda window: window.range_ms, default=None)


def feature_gain(metric: Metric, label: Floats, with_it: Floats, without_it: Floats) -> float | None:
    """Return the measure with the feature less that without it, over the rows of the next labelled window [rows].

    Rows where any of the three is NaN are left out; None where the measure has no value for what is left.
    """
    rows = np.isfinite(label) & np.isfinite(with_it) & np.isfinite(without_it)
    gain = measure(metric, label[rows], with_it[rows]) - measure(metric, label[rows], without_it[rows])
    return gain if np.isfinite(gain) else None


_HELD: dict[Aggregate, Aggregate] = {"ratio": "mean"}


def _is_planted(planted: Planted, window: Window) -> bool:
    return (
        frozenset(window.by) == planted.by
        and planted.aggregate in {window.aggregate, _HELD.get(window.aggregate)}
        and window.column == planted.column
        and window.source == planted.source
        and window.range_ms <= planted.at_most_range_ms
    )
