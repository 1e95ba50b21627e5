"""Categorical columns: has the share of a category left the reference's? Every frequent category, and all others together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streams.contracts.bundle import CategoryProfile
from streams.contracts.summaries import CategoryCounts
from streams.detectors._contrasts import share_level
from streams.detectors._tables import sketch_shares
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, Stateless, floor_of, nothing
from streams.runtime.text import safe

OTHERS = "others"
_MOST = 30
_LEAST_SHARE = 0.005


class _Column(NamedTuple):
    name: str
    followed: tuple[str, ...]
    shares: tuple[float, ...]
    """Of the followed categories, and last of all others."""


class FeatureShares(Stateless):
    """Follows the share of known values that each frequent category has; a flood of new ones moves that of all others."""

    def __init__(self, setup: Setup) -> None:
        self._profile = setup.profile
        self._columns = [_column(name, profile) for name, profile in setup.profile.categories.items()]
        self._columns = [column for column in self._columns if column.followed]
        self._shares = np.array([share for column in self._columns for share in column.shares])
        self.signals: Sequence[Signal] = [
            Signal(
                "feature_drift",
                column.name,
                f"share of {category}",
                "share of rows",
                floor_of(setup.profile, column.name, setup.floors.share),
                setup.profile.rows,
                share=share,
                said=f"share of {safe(category)}",
            )
            for column in self._columns
            for category, share in zip((*column.followed, OTHERS), column.shares, strict=True)
        ]

    def read(self, view: BucketView) -> Readings:
        """Read the counts of all columns."""
        if view.inputs is None:
            return nothing(len(self.signals))
        hits: list[int] = []
        rows: list[int] = []
        for column in self._columns:
            found = view.inputs.categories.get(column.name, _NONE)
            counts = [found.counts.get(category, 0) for category in column.followed]
            known = sum(found.counts.values()) + found.unseen
            hits += [*counts, known - sum(counts)]
            rows += [known] * len(column.shares)
        hit, of = np.array(hits, np.float64), np.array(rows, np.float64)
        effect = np.where(of > 0, hit / np.maximum(of, 1) - self._shares, np.nan)
        return Readings(share_level(hit, of, self._shares), of, effect)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the shares that moved most."""
        name = self.signals[index].watched
        found = [view.inputs.categories[name] for view in views if view.inputs is not None and name in view.inputs.categories]
        return sketch_shares(self._profile.categories[name], found)


_NONE = CategoryCounts(counts={})


def _column(name: str, profile: CategoryProfile) -> _Column:
    frequent = sorted(profile.shares.items(), key=lambda item: (-item[1], item[0]))[:_MOST]
    kept = [(category, share) for category, share in frequent if share >= _LEAST_SHARE]
    rest = max(1.0 - sum(share for _, share in kept), 0.0)
    return _Column(name, tuple(category for category, _ in kept), (*(share for _, share in kept), rest))


def open_detector(setup: Setup) -> FeatureShares:
    """Open it."""
    return FeatureShares(setup)
