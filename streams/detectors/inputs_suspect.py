"""Requests that serving took for broken: values absurdly far outside of the reference's range, or none at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams.detectors._contrasts import share_level
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, Stateless, nothing


class InputsSuspect(Stateless):
    """Follows the share of requests that are flagged, which are in no distribution: no other detector sees them.

    The reference holds none, because it is made of rows that weren't flagged; a share of 0 in a finite reference is no proof of
    0, so half a row more is expected. Requests that could not be decoded are in quarantine, and none of these:
    `requests_rejected` follows them.
    """

    def __init__(self, setup: Setup) -> None:
        rows = setup.profile.rows
        self._share = 0.5 / (rows + 1.0)
        self.signals: Sequence[Signal] = [
            Signal(
                "data_quality",
                "requests",
                "suspect",
                "share of rows",
                setup.floors.share,
                max(float(rows), 1.0),
                share=self._share,
                rises_only=True,
            )
        ]

    def read(self, view: BucketView) -> Readings:
        """Read how many requests are flagged."""
        requests = view.requests
        if requests is None or requests.suspect is None:
            return nothing(1)
        hits, rows = np.array([float(requests.suspect)]), np.array([float(requests.rows)])
        return Readings(share_level(hits, rows, np.array([self._share])), rows, hits / rows - self._share)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the share of suspect requests."""
        del index  # there is one
        found = [view.requests for view in views if view.requests is not None]
        rows, suspect = sum(one.rows for one in found), sum(one.suspect or 0 for one in found)
        return Sketch({"share": 0.0}, {"share": suspect / max(rows, 1), "rows": float(rows)})


def open_detector(setup: Setup) -> InputsSuspect:
    """Open it."""
    return InputsSuspect(setup)
