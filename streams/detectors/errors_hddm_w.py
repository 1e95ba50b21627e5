"""The champion's wrong answers: has their share risen for good? McDiarmid's bound on weighted averages (HDDM_W), River's."""

from __future__ import annotations

from river.drift.binary import HDDM_W

from streams.detectors._river import Errors, Rise
from streams.detectors.base import Setup

# CHANCE_W
_CONFIDENCE = 1e-8
# Five hundred rows are remembered, more than a bucket's: within one they are spread evenly and have no news.
_WEIGHT = 0.002


def open_detector(setup: Setup) -> Rise:
    """Open it.

    It sees large steps alone, but those soon: after 500 calm buckets of 200 rows a rise from 0.10 to 0.20 took 11, one from 0.30
    to 0.40 took 6 (medians of 100 streams), and one from 0.10 to 0.15 was found in none within 300. Source: Frías-Blanco, I., del
    Campo-Ávila, J., Ramos-Jiménez, G., Morales-Bueno, R., Ortiz-Díaz, A. and Caballero-Mota, Y. (2015), "Online and
    non-parametric drift detection methods based on Hoeffding's bounds", IEEE Transactions on Knowledge and Data Engineering 27,
    810-823.
    """
    detector = HDDM_W(drift_confidence=_CONFIDENCE, lambda_val=_WEIGHT)
    return Rise(Errors(setup, "HDDM_W"), detector)
