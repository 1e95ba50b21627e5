"""The champion's loss on slices that nobody declared: is there any part of the requests on which it has become worse?

The slices are cut when the model is trained, from the columns that it looks at most and from pairs of them, each with enough
rows. All of them are looked at, and the more they are the more improbable one must be.

Source of the idea: Chung, Y., Kraska, T., Polyzotis, N., Tae, K. H. and Whang, S. E. (2020), "Automated data slicing for model
validation: a big data - AI integration approach", IEEE Transactions on Knowledge and Data Engineering 32, 2284-2296.
"""

from __future__ import annotations

from streams.detectors._sliced import SlicedLosses
from streams.detectors.base import Setup


def open_detector(setup: Setup) -> SlicedLosses:
    """Open it."""
    return SlicedLosses(setup, [one for one in setup.profile.slices if not one.is_declared])
