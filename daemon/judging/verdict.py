"""From evidence to a verdict, by the gates. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from daemon.gates.base import Evidence, Finding, Gate, Limits, Outcome

Phase = Literal["sealed", "shadow", "probation"]

_OFTEN = 3.29 / 1.96


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided in a phase, and what each gate said."""

    phase: Phase
    outcome: Outcome
    reason: str
    findings: tuple[Finding, ...]

    @property
    def numbers(self) -> dict[str, float]:
        """All numbers of all gates, as `gate.number`."""
        return {f"{finding.gate}.{name}": value for finding in self.findings for name, value in finding.numbers.items()}


def read_evidence(answer: dict[str, Any]) -> Evidence:
    """Read a comparison's answer; what can't be read counts as not measured."""
    known = {}
    for field in msgspec.structs.fields(Evidence):
        if answer.get(field.name) is None:
            continue
        try:
            known[field.name] = msgspec.convert(answer[field.name], field.type, strict=False)
        except msgspec.ValidationError:
            continue
    return Evidence(**known)


def weigh(phase: Phase, evidence: Evidence, gates: Sequence[Gate], limits: Limits) -> Verdict:
    """Ask every gate. One `fail` fails, else one `inconclusive` leaves it open, and no gates prove nothing."""
    findings = tuple(gate.check(evidence, limits) for gate in gates)
    for outcome in ("fail", "inconclusive"):
        found = [finding for finding in findings if finding.outcome == outcome]
        if found:
            reason = "; ".join(f"{finding.gate}: {finding.reason}" for finding in found)
            return Verdict(phase=phase, outcome=outcome, reason=reason, findings=findings)
    if not findings:
        return Verdict(phase=phase, outcome="inconclusive", reason="no gate was asked", findings=())
    return Verdict(phase=phase, outcome="pass", reason=f"all {len(findings)} claims hold", findings=findings)


def weigh_probation(evidence: Evidence, limits: Limits, *, is_early: bool = False) -> Verdict:
    """Ask whether the new champion does harm: `fail` only when it is worse than the previous one beyond chance.

    Who looks early looks more often, so what is beyond chance lies further out then: at 99.9 instead of 95 % of a normal
    distribution.
    """
    difference = evidence.metric.difference if evidence.metric is not None else None
    numbers = {"rows": float(evidence.rows), "positives": float(evidence.positives)}
    if difference is None or evidence.rows < limits.least_rows or evidence.positives < limits.least_positives:
        return _probation("inconclusive", "too few outcomes to compare", numbers)
    numbers |= {"difference": difference.value, "low": difference.low, "high": difference.high}
    if difference.value + (difference.high - difference.value) * (_OFTEN if is_early else 1.0) < 0:
        return _probation("fail", "the new champion is worse than the previous one, beyond chance", numbers)
    return _probation("pass", "the new champion isn't worse than the previous one beyond chance", numbers)


def _probation(outcome: Outcome, reason: str, numbers: dict[str, float]) -> Verdict:
    finding = Finding(gate="does_no_harm", outcome=outcome, reason=reason, numbers=numbers)
    return Verdict(phase="probation", outcome=outcome, reason=reason, findings=(finding,))
