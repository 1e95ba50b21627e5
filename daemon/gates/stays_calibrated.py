"""The challenger's probabilities mean what they say, at least about as well as the champion's."""

from __future__ import annotations

from daemon.gates.base import Evidence, Finding, Limits, Spec

SPEC = Spec(name="stays_calibrated", claim="its calibration error is at most the champion's plus the tolerance")


def check(evidence: Evidence, limits: Limits) -> Finding:
    """Compare the expected calibration errors."""
    found = evidence.calibration
    if found is None or found.champion is None or found.challenger is None:
        return Finding(gate=SPEC.name, outcome="inconclusive", reason="calibration wasn't measured", numbers={})
    allowed = found.champion + limits.calibration_tolerance
    numbers = {"champion": found.champion, "challenger": found.challenger, "allowed": allowed}
    if found.challenger <= allowed:
        return Finding(gate=SPEC.name, outcome="pass", reason="calibration error is within the tolerance", numbers=numbers)
    return Finding(gate=SPEC.name, outcome="fail", reason="calibration error is above the tolerance", numbers=numbers)
