"""The challenger answers fast enough to serve."""

from __future__ import annotations

from daemon.gates.base import Evidence, Finding, Limits, Spec

SPEC = Spec(name="fits_latency", claim="1,000 rows take no longer than the limit")


def check(evidence: Evidence, limits: Limits) -> Finding:
    """Compare the measured time with the limit."""
    found = evidence.latency_ms_per_1000
    if found is None:
        return Finding(gate=SPEC.name, outcome="inconclusive", reason="latency wasn't measured", numbers={})
    numbers = {"ms_per_1000": found, "limit": limits.latency_ms_per_1000}
    if found <= limits.latency_ms_per_1000:
        return Finding(gate=SPEC.name, outcome="pass", reason="latency is within the limit", numbers=numbers)
    return Finding(gate=SPEC.name, outcome="fail", reason="latency is above the limit", numbers=numbers)
