"""The champion's wrong answers: has their share risen for good? The drift detection method (DDM), River's implementation."""

from __future__ import annotations

import math

from river.drift.binary import DDM

from streams.detectors._river import Errors, Rise
from streams.detectors.base import Setup

# How far the share of errors must be above its lowest, in the standard errors that it had then. Chance reached it 3 times in 6
# million simulated buckets, with 0.01, 0.1 and 0.5 of the answers wrong; River's own 3.0 in one of ten streams of 5,000 buckets.
_DRIFT = 4.0
# So many errors are waited for, or a lucky beginning would be the lowest share for ever.
_WARM_ERRORS = 100


def open_detector(setup: Setup) -> Rise:
    """Open it.

    The share is of all rows since the last change, so that what follows a long calm takes long to move it: after 500 calm buckets
    of 200 rows a rise from 0.10 to 0.20 took 25 (median of 100 streams), one to 0.15 took 47 and was missed in 6. Source: Gama,
    J., Medas, P., Castillo, G. and Rodrigues, P. (2004), "Learning with drift detection", Brazilian Symposium on Artificial
    Intelligence, 286-295.
    """
    errors = Errors(setup, "DDM")
    return Rise(errors, DDM(warm_start=math.ceil(_WARM_ERRORS / errors.usual), drift_threshold=_DRIFT))
