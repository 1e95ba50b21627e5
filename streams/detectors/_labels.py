"""A classifier's labels as a table of counts: reference against bucket."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streams.contracts.bundle import Profile
from streams.detectors.base import BucketView, Setup, Signal, Sketch


def label_signal(name: str, setup: Setup) -> Signal:
    """Return the one signal of a test of the labels."""
    return Signal("label_drift", "label", name, "share of rows", setup.floors.share, 1.0, scale=0.0, rises_only=True)


def reference_counts(profile: Profile) -> tuple[int, int]:
    """Return how many labels of the reference are positive, and how many aren't."""
    positives = round(profile.label_mean * profile.rows)
    return positives, profile.rows - positives


def label_table(before: tuple[int, int], view: BucketView) -> npt.NDArray[np.int64] | None:
    """Return positives and negatives of reference and bucket [2, 2]; None where no label is known."""
    after = _counts(view)
    return np.array([before, after], np.int64) if any(after) else None


def sketch_labels(before: tuple[int, int], views: Sequence[BucketView]) -> Sketch:
    """Show the share of positives before and after."""
    positives, negatives = np.sum([_counts(view) for view in views], axis=0).tolist() if views else (0, 0)
    rows = positives + negatives
    return Sketch({"share": before[0] / max(sum(before), 1)}, {"share": positives / max(rows, 1), "rows": float(rows)})


def _counts(view: BucketView) -> tuple[int, int]:
    return (sum(view.losses.positives), sum(view.losses.negatives)) if view.losses is not None else (0, 0)
