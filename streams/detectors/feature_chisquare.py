"""Categorical columns: has their mix left the reference? Two-sample chi-square on counts, effect as Cramér's V."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import stats

from streams.detectors._tables import Counts, sketch_shares, two_samples
from streams.detectors._tested import Tested, readings
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, Stateless, nothing


class FeatureChisquare(Stateless):
    """Compares the category counts of the whole bucket with those of the reference; cells that expect under five are pooled.

    A change that touches many categories a little shows here; `feature_shares` finds that of a single one sooner.
    """

    def __init__(self, setup: Setup) -> None:
        self._profile = setup.profile
        floor = setup.floors.cramers_v
        self.signals: Sequence[Signal] = [
            Signal("feature_drift", name, "chi-square", "Cramér's V", floor, 1.0, scale=0.0, rises_only=True)
            for name in setup.profile.categories
        ]

    def read(self, view: BucketView) -> Readings:
        """Test every categorical column of the reference."""
        if view.inputs is None:
            return nothing(len(self.signals))
        found: list[Tested | None] = []
        for name, profile in self._profile.categories.items():
            now = view.inputs.categories.get(name)
            table = two_samples(profile, self._profile.rows, now) if now is not None else None
            found.append(chisquare(table) if table is not None else None)
        return readings(found)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the shares that moved most."""
        name = self.signals[index].watched
        found = [view.inputs.categories[name] for view in views if view.inputs is not None and name in view.inputs.categories]
        return sketch_shares(self._profile.categories[name], found)


def chisquare(table: Counts) -> Tested:
    """Test a table [2, cells] of reference and bucket.

    Sources: Pearson's chi-square for homogeneity with Yates' correction in 2 x 2 tables, as `scipy.stats.chi2_contingency`;
    Cramér, H. (1946), "Mathematical Methods of Statistics", section 21.9, for V. Independent rows are assumed.
    """
    result = stats.chi2_contingency(table)
    return Tested(float(result.pvalue), math.sqrt(float(result.statistic) / float(table.sum())))


def open_detector(setup: Setup) -> FeatureChisquare:
    """Open it."""
    return FeatureChisquare(setup)
