"""Requests that serving could not use: undecodable, of wrong types, not scored. They are in quarantine.

They have no event time: each counts in the bucket of the prediction that came next in its partition, so where nothing can be
answered any more nothing is said here before something can. No log holds them, so nothing about the past is learnt for them: the
rate of false alarms is that of records which are rejected independently of each other.
"""

from __future__ import annotations

from streams.detectors._requests import RequestShare, Share
from streams.detectors.base import Requests, Setup


def _rejected(requests: Requests) -> tuple[int, int] | None:
    """Return the rejected among all that came, whichever bundle would have answered them."""
    return (requests.rejected, requests.rows + requests.rejected) if requests.rejected is not None else None


def open_detector(setup: Setup) -> RequestShare:
    """Open it."""
    return RequestShare(setup, Share("serving", "rejected", "share of requests", _rejected))
