"""Categorical columns: has their mix left the reference? Two-sample chi-square on counts, effect as Cramér's V."""

from __future__ import annotations

import math

from scipy import stats

from streams.contracts.bundle import CategoryProfile
from streams.contracts.summaries import CategoryCounts
from streams.detectors._tables import Counts, known_rows, reference_counts, two_samples
from streams.detectors.base import BucketView, Finding, Setup, Stateless

KINDS = ("feature_drift",)
LEVELLED = False

_SHOWN = 3


class FeatureChisquare(Stateless):
    """Compares the category counts of the whole bucket with those of the reference; cells that expect under five are pooled.

    Sources: Pearson's chi-square for homogeneity with Yates' correction in 2 x 2 tables, as `scipy.stats.chi2_contingency`;
    Cramér, H. (1946), "Mathematical Methods of Statistics", section 21.9, for V. Independent rows are assumed.
    """

    def __init__(self, floor: float) -> None:
        self._floor = floor

    def look(self, view: BucketView) -> list[Finding]:
        """Test every categorical column of the reference."""
        if view.inputs is None:
            return []
        findings = []
        for name, profile in view.profile.categories.items():
            now = view.inputs.categories.get(name)
            table = two_samples(profile, view.profile.rows, now) if now is not None else None
            if now is not None and table is not None:
                findings.append(chisquare(name, table, self._floor, *_sketches(profile, view.profile.rows, now)))
        return findings


def chisquare(name: str, table: Counts, floor: float, before: dict[str, float], after: dict[str, float]) -> Finding:
    """Test a table [2, cells] of reference and bucket."""
    result = stats.chi2_contingency(table)
    return Finding(
        kind=KINDS[0],
        watched=name,
        method="two-sample chi-square",
        p_value=float(result.pvalue),
        effect=math.sqrt(float(result.statistic) / float(table.sum())),
        floor=floor,
        effect_unit="Cramér's V",
        before=before,
        after=after,
    )


def _sketches(profile: CategoryProfile, rows: int, now: CategoryCounts) -> tuple[dict[str, float], dict[str, float]]:
    """Shares of the categories that moved most."""
    counts = reference_counts(profile, rows)
    before_total = max(known_rows(profile, rows), 1)
    after_total = max(sum(now.counts.values()) + now.unseen, 1)
    before = {name: count / before_total for name, count in counts.items()}
    after = {name: now.counts.get(name, 0) / after_total for name in counts}
    moved = sorted(before, key=lambda name: (-abs(after[name] - before[name]), name))[:_SHOWN]
    return {name: before[name] for name in moved}, {name: after[name] for name in moved}


def open_detector(setup: Setup) -> FeatureChisquare:
    """Open it."""
    return FeatureChisquare(setup.floors.cramers_v)
