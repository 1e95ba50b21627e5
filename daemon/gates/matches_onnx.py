"""What will serve is what was trained: the graph answers as the booster does."""

from __future__ import annotations

from daemon.gates.base import Evidence, Finding, Limits, Spec

SPEC = Spec(name="matches_onnx", claim="graph and booster differ by no more than the tolerance on any row")


def check(evidence: Evidence, limits: Limits) -> Finding:
    """Compare the largest difference with the tolerance."""
    found = evidence.onnx_max_difference
    if found is None:
        return Finding(gate=SPEC.name, outcome="inconclusive", reason="graph and booster weren't compared", numbers={})
    numbers = {"largest_difference": found, "tolerance": limits.onnx_tolerance}
    if found <= limits.onnx_tolerance:
        return Finding(gate=SPEC.name, outcome="pass", reason="graph and booster agree", numbers=numbers)
    return Finding(gate=SPEC.name, outcome="fail", reason="graph and booster disagree", numbers=numbers)
