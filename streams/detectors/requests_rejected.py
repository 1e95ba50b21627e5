"""Requests that serving could not use: undecodable, of wrong types, not scored. They are in quarantine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams.detectors._contrasts import share_level
from streams.detectors.base import BucketView, Readings, Setup, Signal, Sketch, Stateless, nothing


class RequestsRejected(Stateless):
    """Follows the share of rejected records among all that came, whichever bundle would have answered them.

    They have no event time: each counts in the bucket of the prediction that came next in its partition, so where nothing can be
    answered any more nothing is said here before something can. As for suspect rows (`inputs_suspect`) the reference holds none,
    and half a row more than that is expected. No log holds them either, so nothing about the past is learnt for them: the rate of
    false alarms is that of records which are rejected independently of each other.
    """

    def __init__(self, setup: Setup) -> None:
        rows = setup.profile.rows
        self._share = 0.5 / (rows + 1.0)
        self.signals: Sequence[Signal] = [
            Signal(
                "serving",
                "requests",
                "rejected",
                "share of requests",
                setup.floors.share,
                max(float(rows), 1.0),
                share=self._share,
                rises_only=True,
            )
        ]

    def read(self, view: BucketView) -> Readings:
        """Read how many records were rejected."""
        requests = view.requests
        if requests is None or requests.rejected is None:
            return nothing(1)
        hits, rows = np.array([float(requests.rejected)]), np.array([float(requests.rows + requests.rejected)])
        return Readings(share_level(hits, rows, np.array([self._share])), rows, hits / rows - self._share)

    def sketch(self, index: int, views: Sequence[BucketView]) -> Sketch:
        """Show the share of rejected records."""
        del index  # there is one
        found = [view.requests for view in views if view.requests is not None]
        rejected = sum(one.rejected or 0 for one in found)
        rows = sum(one.rows for one in found) + rejected
        return Sketch({"share": 0.0}, {"share": rejected / max(rows, 1), "rows": float(rows)})


def open_detector(setup: Setup) -> RequestsRejected:
    """Open it."""
    return RequestsRejected(setup)
