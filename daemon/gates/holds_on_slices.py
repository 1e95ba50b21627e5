"""No slice of the rows pays for the improvement on the others."""

from __future__ import annotations

from daemon.gates.base import Evidence, Finding, Limits, SliceDifference, Spec

SPEC = Spec(name="holds_on_slices", claim="on no slice with enough rows is the challenger worse than tolerated, beyond chance")


def check(evidence: Evidence, limits: Limits) -> Finding:
    """Fail when a slice's whole interval is below the tolerance; slices with too few rows are not asked."""
    if evidence.slices is None:
        return Finding(gate=SPEC.name, outcome="inconclusive", reason="no slice was measured", numbers={})
    asked = [one for one in evidence.slices if one.rows >= limits.slice_rows and one.difference is not None]
    worse = [one for one in asked if _high(one) < -limits.slice_tolerance]
    numbers = {"slices": float(len(evidence.slices)), "asked": float(len(asked)), "worse": float(len(worse))}
    numbers |= {"worst_value": min((_value(one) for one in asked), default=0.0), "tolerance": limits.slice_tolerance}
    if worse:
        return Finding(gate=SPEC.name, outcome="fail", reason=f"worse on {len(worse)} of {len(asked)} slices", numbers=numbers)
    if not asked:
        return Finding(gate=SPEC.name, outcome="inconclusive", reason="no slice has enough rows", numbers=numbers)
    return Finding(gate=SPEC.name, outcome="pass", reason=f"holds on all {len(asked)} slices with enough rows", numbers=numbers)


def _high(one: SliceDifference) -> float:
    return one.difference.high if one.difference is not None else 0.0


def _value(one: SliceDifference) -> float:
    return one.difference.value if one.difference is not None else 0.0
