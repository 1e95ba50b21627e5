"""Requests that serving took for broken: values absurdly far outside of the reference's range, or none at all.

They are in no distribution, so that no other detector sees them, and in no reference. Requests that could not be decoded are in
quarantine, and none of these: `requests_rejected` follows them.
"""

from __future__ import annotations

from streams.detectors._requests import RequestShare, Share
from streams.detectors.base import Requests, Setup


def _flagged(requests: Requests) -> tuple[int, int] | None:
    return (requests.suspect, requests.rows) if requests.suspect is not None else None


def open_detector(setup: Setup) -> RequestShare:
    """Open it."""
    return RequestShare(setup, Share("data_quality", "suspect", "share of rows", _flagged))
