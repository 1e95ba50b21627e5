"""The champion's mean loss per bucket: has it risen for good? Adaptive windowing (ADWIN), River's implementation."""

from __future__ import annotations

from river.drift import ADWIN

from streams.detectors._river import MOST_BUCKETS, MeanLoss, Rise
from streams.detectors.base import Setup

# The chance that ADWIN's bound leaves to a false alarm at each look. The bound is loose: chance reached it once in 300,000
# simulated buckets.
_DELTA = 0.002
# Buckets are few, so ADWIN looks at each one, and at windows from three buckets on; before ten it says nothing.
_EVERY = 1
_SHORTEST = 3
_GRACE = 10


def open_detector(setup: Setup) -> Rise:
    """Open it.

    ADWIN's bound assumes values in [0, 1]; with its window's own variance in the leading term it stays conservative for means in
    standard errors. The series is as high as the whole window says. Source: Bifet, A. and Gavaldà, R. (2007), "Learning from
    time-changing data with adaptive windowing", SIAM International Conference on Data Mining, 443-448.
    """
    adwin = ADWIN(delta=_DELTA, clock=_EVERY, min_window_length=_SHORTEST, grace_period=_GRACE)
    return Rise(MeanLoss(setup, "ADWIN"), adwin, newest=MOST_BUCKETS)
