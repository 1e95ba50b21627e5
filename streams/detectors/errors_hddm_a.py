"""The champion's wrong answers: has their share risen for good? Hoeffding's bound on averages (HDDM_A), River's."""

from __future__ import annotations

from river.drift.binary import HDDM_A

from streams.detectors._river import Errors, Rise
from streams.detectors.base import Setup

# CHANCE_A
_CONFIDENCE = 1e-5


def open_detector(setup: Setup) -> Rise:
    """Open it.

    The bound takes errors to vary as they do where half of all answers are wrong, so it is slow where few are. After 500 calm
    buckets of 200 rows a rise from 0.10 to 0.20 took 6, one to 0.15 took 17 (medians of 100 streams). Falls aren't
    asked for: the lowest mean so far follows them by itself. Source: Frías-Blanco, I., del Campo-Ávila, J., Ramos-Jiménez, G.,
    Morales-Bueno, R., Ortiz-Díaz, A. and Caballero-Mota, Y. (2015), "Online and non-parametric drift detection methods based on
    Hoeffding's bounds", IEEE Transactions on Knowledge and Data Engineering 27, 810-823.
    """
    return Rise(Errors(setup, "HDDM_A"), HDDM_A(drift_confidence=_CONFIDENCE))
