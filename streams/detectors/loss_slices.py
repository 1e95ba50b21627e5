"""The champion's loss on declared slices: is it higher on the requests of a kind than it was when the model was validated?"""

from __future__ import annotations

from streams.detectors._sliced import SlicedLosses
from streams.detectors.base import Setup


def open_detector(setup: Setup) -> SlicedLosses:
    """Open it."""
    return SlicedLosses(setup, [one for one in setup.profile.slices if one.is_declared])
