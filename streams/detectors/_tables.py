"""Categories as tables of counts: reference against bucket, small cells pooled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streams.contracts.bundle import CategoryProfile
from streams.contracts.summaries import CategoryCounts
from streams.detectors.base import Sketch
from streams.runtime.text import safe
from streams.statistics.distances import jensen_shannon, psi

Counts = npt.NDArray[np.int64]

# Cochran's rule of thumb: the chi-square approximation holds when no cell expects fewer than five.
FEWEST_EXPECTED = 5

_SHOWN = 3


def known_rows(profile: CategoryProfile, rows: int) -> int:
    """Rows of the reference whose category is known."""
    return round(rows * (1 - profile.missing))


def reference_counts(profile: CategoryProfile, rows: int) -> dict[str, int]:
    """Turn the reference's shares of known values back into counts."""
    known = known_rows(profile, rows)
    return {name: round(share * known) for name, share in profile.shares.items()}


def two_samples(profile: CategoryProfile, rows: int, now: CategoryCounts) -> Counts | None:
    """Return the table [2, cells] of reference and bucket; None when it has fewer than two cells with enough rows.

    Categories that the profile doesn't name share a cell with those too rare for a cell of their own: a rare category can't
    carry a test alone, and leaving it out would hide a flood of new ones.
    """
    before = reference_counts(profile, rows)
    rest = np.array([max(known_rows(profile, rows) - sum(before.values()), 0), now.unseen], np.int64)
    table = np.array([[before[name], now.counts.get(name, 0)] for name in sorted(before)], np.int64).reshape(-1, 2)
    sums = table.sum(axis=0) + rest
    total = int(sums.sum())
    if not total or not sums.all():
        return None
    enough = table.sum(axis=1) * (sums.min() / total) >= FEWEST_EXPECTED
    pooled = rest + table[~enough].sum(axis=0)
    cells = np.vstack([table[enough], pooled]) if pooled.any() else table[enough]
    return cells.T if len(cells) >= 2 else None


def sketch_shares(profile: CategoryProfile, many: Sequence[CategoryCounts]) -> Sketch:
    """Describe a column before and after by the shares of the categories that moved most, and what the change costs by itself.

    What was counted also says how far apart the two mixes are. Categories are data: one that isn't plain is shown by a digest.
    """
    known = sum(sum(counts.counts.values()) + counts.unseen for counts in many)
    after = {name: sum(counts.counts.get(name, 0) for counts in many) / max(known, 1) for name in profile.shares}
    moved = sorted(after, key=lambda name: (-abs(after[name] - profile.shares[name]), name))[:_SHOWN]
    sketch = Sketch({safe(name): profile.shares[name] for name in moved}, {safe(name): after[name] for name in moved})
    if known:
        here, there = (np.array([*shares.values(), max(1 - sum(shares.values()), 0.0)]) for shares in (after, profile.shares))
        sketch.after["psi"], sketch.after["jensen_shannon"] = psi(here, there), jensen_shannon(here, there)
    if profile.loss:
        usual = sum(share * profile.loss[name] for name, share in profile.shares.items()) / sum(profile.shares.values())
        sketch.before["expected_loss"] = usual
        sketch.after["expected_loss"] = usual + sum(share * (profile.loss[name] - usual) for name, share in after.items())
    return sketch
