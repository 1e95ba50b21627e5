"""What every gate must satisfy. Importable, so that gates of other distributions can be checked by their own tests."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import msgspec

from daemon.gates.base import Calibration, Evidence, Finding, Gate, GoalReached, Limits, Metric, SliceDifference
from streams.contracts.bundle import Interval

_RANK = {"fail": 0, "inconclusive": 1, "pass": 2}
_LIMITS = Limits()


class GateCheckError(AssertionError):
    """A gate breaks the family's contract."""


def check_gate(gate: Gate) -> None:
    """Run all checks on one gate.

    Raises:
        GateCheckError: it breaks one; the message says which.
    """
    nothing = _told(gate, Evidence())
    if nothing.outcome != "inconclusive":
        raise GateCheckError(f"{gate.SPEC.name}: missing evidence must be inconclusive, not {nothing.outcome}")
    for worse, better in _improvements():
        before, after = _told(gate, worse), _told(gate, better)
        if before.outcome == "pass" and _RANK[after.outcome] < _RANK["pass"]:
            raise GateCheckError(f"{gate.SPEC.name}: better evidence turned pass into {after.outcome}: {worse} → {better}")
        if before != _told(gate, worse):
            raise GateCheckError(f"{gate.SPEC.name}: the same evidence gave two answers")
        if not after.numbers:
            raise GateCheckError(f"{gate.SPEC.name}: a finding on evidence needs its numbers")


def _told(gate: Gate, evidence: Evidence) -> Finding:
    finding = gate.check(evidence, _LIMITS)
    if finding.gate != gate.SPEC.name or not finding.reason:
        raise GateCheckError(f"{gate.SPEC.name}: a finding names its gate and its reason")
    return finding


def evidence_of(quality: float) -> Evidence:
    """Make complete evidence of a challenger that is as good as `quality` says, from -1 (far worse) to 1 (far better)."""
    difference = Interval(value=quality / 10, low=quality / 10 - 0.03, high=quality / 10 + 0.03)
    return Evidence(
        rows=5_000,
        positives=1_000,
        metric=Metric(name="auc", champion=0.7, challenger=0.7 + quality / 10, difference=difference),
        slices=(SliceDifference(slice="a=1", rows=900, difference=difference), SliceDifference(slice="a=2", rows=10)),
        calibration=Calibration(champion=0.03, challenger=0.05 - quality / 20),
        onnx_max_difference=1e-5 * 10 ** (-quality),
        latency_ms_per_1000=50.0 - 40.0 * quality,
        goals=(
            GoalReached(
                goal="goal-1", digest="d" * 64, metric="precision", rows=900, cases=300, floor=0.8,
                champion=Interval(value=0.8, low=0.77, high=0.83),
                challenger=Interval(value=0.8 + quality / 10, low=0.77 + quality / 10, high=0.83 + quality / 10),
                difference=difference,
            ),
        ),
    )  # fmt: skip


def _improvements() -> Iterator[tuple[Evidence, Evidence]]:
    steps = [step / 10 for step in range(-10, 11)]
    for worse, better in itertools.pairwise(steps):
        yield evidence_of(worse), evidence_of(better)
        yield evidence_of(worse), msgspec.structs.replace(evidence_of(better), rows=50_000, positives=10_000)
