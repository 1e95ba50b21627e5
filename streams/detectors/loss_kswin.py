"""The champion's mean loss per bucket: has it risen for good? Kolmogorov-Smirnov windowing (KSWIN), River's implementation."""

from __future__ import annotations

from river.drift import KSWIN

from streams.detectors._river import MeanLoss, Rise
from streams.detectors.base import Setup

# The last buckets against as many before them: nothing is drawn, so no seed is in the verdict.
_RECENT = 15
_WINDOW = 2 * _RECENT
_ALPHA = 1e-5
_SEED = 0


def open_detector(setup: Setup) -> Rise:
    """Open it.

    The test is exact, so that chance reaches it in less than one of 100,000 looks, rises and falls together: thirteen of the last
    fifteen buckets must lie apart from the fifteen before. Small and slow rises are none of its business. Source: Raab, C.,
    Heusinger, M. and Schleif, F.-M. (2020), "Reactive soft prototype computing for concept drift streams", Neurocomputing 416,
    340-351.
    """
    windows = KSWIN(alpha=_ALPHA, window_size=_WINDOW, stat_size=_RECENT, seed=_SEED)
    return Rise(MeanLoss(setup, "KSWIN"), windows)
