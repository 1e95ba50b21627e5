"""Shares of all requests that came, of which the reference holds none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from streams.detectors._contrasts import share_level
from streams.detectors.base import BucketView, Readings, Requests, Setup, Signal, Sketch, Stateless, nothing


class Share(NamedTuple):
    """What is followed: the kind of event, what is counted, its unit, and how: hits and all, None where nobody looked."""

    kind: str
    aspect: str
    unit: str
    counted: Callable[[Requests], tuple[int, int] | None]


class RequestShare(Stateless):
    """Follows a share that the reference has nothing of; that is no proof of 0, so half a row more than that is expected.

    Args:
        setup: as of every detector.
        share: which.
    """

    def __init__(self, setup: Setup, share: Share) -> None:
        self._counted = share.counted
        rows = setup.profile.rows
        self._share = 0.5 / (rows + 1.0)
        self.signals: Sequence[Signal] = [
            Signal(
                share.kind,
                "requests",
                share.aspect,
                share.unit,
                setup.floors.share,
                max(float(rows), 1.0),
                share=self._share,
                rises_only=True,
            )
        ]

    def read(self, view: BucketView) -> Readings:
        """Read how many there are."""
        counted = self._counted(view.requests) if view.requests is not None else None
        if counted is None:
            return nothing(1)
        hits, rows = (np.array([float(count)]) for count in counted)
        return Readings(share_level(hits, rows, np.array([self._share])), rows, hits / rows - self._share)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the share."""
        del index  # there is one
        counted = [self._counted(view.requests) for view in views if view.requests is not None]
        known = [one for one in counted if one is not None]
        hits, rows = sum(one[0] for one in known), sum(one[1] for one in known)
        return Sketch({"share": 0.0}, {"share": hits / max(rows, 1), "rows": float(rows)})
