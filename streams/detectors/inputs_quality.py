"""Broken inputs: more values missing, out of the reference's range or in unseen categories than before."""

from __future__ import annotations

from scipy import stats

from streams.contracts.bundle import CategoryProfile, NumberProfile
from streams.contracts.summaries import CategoryCounts, NumberCounts
from streams.detectors._tables import known_rows, reference_counts
from streams.detectors.base import BucketView, Finding, Floors, Setup, Stateless

KINDS = ("data_quality",)
LEVELLED = False


class InputsQuality(Stateless):
    """One-sided exact tests of the bucket's rates against the reference's, column by column.

    The reference's rate is itself an estimate, and a rate of 0 in a finite reference is no proof of 0. So the test is
    conditional on both samples (Fisher's exact test): given `k` bad rows among reference and bucket together, how likely is
    it that the bucket drew so many of them? With no bad row in the reference this is also the exact chance of values beyond
    its extremes (both are exchangeable draws). Source: Fisher, R. A. (1935), "The logic of inductive inference", Journal of
    the Royal Statistical Society 98, 39-82.
    """

    def __init__(self, floors: Floors) -> None:
        self._floors = floors

    def look(self, view: BucketView) -> list[Finding]:
        """Test every column of the reference."""
        if view.inputs is None:
            return []
        rows, findings = view.profile.rows, list[Finding | None]()
        for name, number in view.profile.numbers.items():
            if (counts := view.inputs.numbers.get(name)) is not None:
                known = sum(counts.bins)
                findings.append(self._missing(name, number.missing, rows, counts.missing, known))
                findings.append(self._out_of_range(name, number, rows, counts, known))
        for name, category in view.profile.categories.items():
            if (found := view.inputs.categories.get(name)) is not None:
                known = sum(found.counts.values()) + found.unseen
                findings.append(self._missing(name, category.missing, rows, found.missing, known))
                findings.append(self._unseen(name, category, rows, found, known))
        return [finding for finding in findings if finding is not None]

    def _missing(self, name: str, share: float, rows: int, missing: int, known: int) -> Finding | None:
        before, after = (round(share * rows), rows), (missing, missing + known)
        return _finding(f"{name}: missing", before, after, self._floors.missing_share, more_than(before, after))

    def _out_of_range(self, name: str, profile: NumberProfile, rows: int, counts: NumberCounts, known: int) -> Finding | None:
        before = (0, round(rows * (1 - profile.missing)))
        # Two one-sided tests, corrected for being two (Bonferroni).
        p_value = min(1.0, 2 * min(more_than(before, (side, known)) for side in (counts.low, counts.high)))
        outside = min(counts.low + counts.high, known)
        return _finding(f"{name}: out of range", before, (outside, known), self._floors.range_share, p_value)

    def _unseen(self, name: str, profile: CategoryProfile, rows: int, counts: CategoryCounts, known: int) -> Finding | None:
        total = known_rows(profile, rows)
        before = (max(total - sum(reference_counts(profile, rows).values()), 0), total)
        after = (counts.unseen, known)
        return _finding(f"{name}: unseen category", before, after, self._floors.unseen_share, more_than(before, after))


def more_than(before: tuple[int, int], after: tuple[int, int]) -> float:
    """Chance of at least as many hits in `after` when both are draws from one population; each is (hits, rows)."""
    hits = min(after[0], after[1])
    return float(stats.hypergeom.sf(hits - 1, before[1] + after[1], before[0] + hits, after[1]))


def _finding(watched: str, before: tuple[int, int], after: tuple[int, int], floor: float, p_value: float) -> Finding | None:
    if not before[1] or not after[1]:
        return None
    rates = before[0] / before[1], after[0] / after[1]
    return Finding(
        kind=KINDS[0],
        watched=watched,
        method="Fisher's exact test, one-sided",
        p_value=p_value,
        effect=rates[1] - rates[0],
        floor=floor,
        effect_unit="share of rows",
        before={"share": rates[0], "rows": float(before[1])},
        after={"share": rates[1], "rows": float(after[1])},
    )


def open_detector(setup: Setup) -> InputsQuality:
    """Open it."""
    return InputsQuality(setup.floors)
