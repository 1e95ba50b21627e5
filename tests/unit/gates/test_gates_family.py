from __future__ import annotations

from typing import cast

import msgspec
import pytest

from daemon.gates.base import Calibration, Evidence, Finding, Gate, Limits, Metric, SliceDifference, Spec
from daemon.gates.checks import GateCheckError, check_gate, evidence_of
from streams.contracts.bundle import Interval
from streams.runtime.plugins import kinds_of, load_kind

GATES = kinds_of("daemon.gates")


def outcome(name: str, evidence: Evidence) -> str:
    return cast("Gate", load_kind("daemon.gates", name)).check(evidence, Limits()).outcome


def test_the_family_is_found() -> None:
    assert set(GATES) >= {"beats_champion", "holds_on_slices", "stays_calibrated", "matches_onnx", "fits_latency", "keeps_goals"}


@pytest.mark.parametrize("name", GATES)
def test_every_gate_keeps_the_contract(name: str) -> None:
    check_gate(cast("Gate", load_kind("daemon.gates", name)))


@pytest.mark.parametrize("name", GATES)
def test_every_gate_can_pass_and_fail(name: str) -> None:
    assert outcome(name, evidence_of(1.0)) == "pass"
    assert outcome(name, evidence_of(-1.0)) == "fail"


def test_the_checks_catch_a_gate_that_lets_the_unmeasured_pass() -> None:
    class Lax:
        SPEC = Spec(name="lax", claim="anything goes")

        @staticmethod
        def check(evidence: Evidence, limits: Limits) -> Finding:
            return Finding(gate="lax", outcome="pass", reason="why not", numbers={})

    with pytest.raises(GateCheckError, match="inconclusive"):
        check_gate(cast("Gate", Lax))


def difference(low: float, high: float) -> Interval:
    return Interval(value=(low + high) / 2, low=low, high=high)


@pytest.mark.parametrize(
    ("low", "high", "rows", "said"),
    [(0.001, 0.1, 900, "pass"), (0.0, 0.1, 900, "inconclusive"), (-0.1, 0.0, 900, "fail"), (0.001, 0.1, 499, "inconclusive")],
)
def test_beating_the_champion_needs_the_whole_interval_and_enough_rows(low: float, high: float, rows: int, said: str) -> None:
    metric = Metric(name="auc", difference=difference(low, high))
    assert outcome("beats_champion", Evidence(rows=rows, positives=200, metric=metric)) == said


def test_a_single_bad_slice_fails_and_small_ones_aren_t_asked() -> None:
    good = SliceDifference(slice="a", rows=900, difference=difference(0.0, 0.1))
    bad = SliceDifference(slice="b", rows=900, difference=difference(-0.2, -0.05))
    small = msgspec.structs.replace(bad, rows=100)
    assert outcome("holds_on_slices", Evidence(slices=(good, small))) == "pass"
    assert outcome("holds_on_slices", Evidence(slices=(good, bad))) == "fail"
    assert outcome("holds_on_slices", Evidence(slices=(small,))) == "inconclusive"


def test_half_measured_calibration_is_inconclusive() -> None:
    assert outcome("stays_calibrated", Evidence(calibration=Calibration(challenger=0.0))) == "inconclusive"
