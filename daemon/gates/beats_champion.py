"""The challenger is better than the champion on the same rows, and not by chance."""

from __future__ import annotations

import math

from daemon.gates.base import Evidence, Finding, Limits, Spec

SPEC = Spec(name="beats_champion", claim="the paired difference's interval lies above the margin")


def check(evidence: Evidence, limits: Limits) -> Finding:
    """Pass when the whole interval is above the margin, fail when all of it is at or below, inconclusive between."""
    difference = evidence.metric.difference if evidence.metric is not None else None
    numbers = {"rows": float(evidence.rows), "positives": float(evidence.positives), "margin": limits.margin}
    if difference is None:
        return Finding(gate=SPEC.name, outcome="inconclusive", reason="the difference wasn't measured", numbers=numbers)
    numbers |= {"difference": difference.value, "low": difference.low, "high": difference.high}
    if evidence.rows < limits.least_rows or evidence.positives < limits.least_positives:
        numbers |= {"rows_lacked": _lacked(evidence, limits)}
        return Finding(gate=SPEC.name, outcome="inconclusive", reason="too few rows or positives to judge", numbers=numbers)
    if difference.low > limits.margin:
        return Finding(
            gate=SPEC.name, outcome="pass", reason="the interval of the difference is above the margin", numbers=numbers
        )
    if difference.high <= limits.margin:
        return Finding(
            gate=SPEC.name, outcome="fail", reason="the interval of the difference is not above the margin", numbers=numbers
        )
    return Finding(
        gate=SPEC.name, outcome="inconclusive", reason="the interval of the difference holds the margin", numbers=numbers
    )


def _lacked(evidence: Evidence, limits: Limits) -> float:
    """Return how many more rows it takes, if positives come among them as they did."""
    for_positives = math.ceil(evidence.rows * limits.least_positives / max(evidence.positives, 1))
    return float(max(limits.least_rows, for_positives) - evidence.rows)
