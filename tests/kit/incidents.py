"""An incident of a made-up model, moved along the way of a promoted challenger by the ledger's own means."""

from typing import Any

from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Incident, Lesson, Move, Plan, PlanStep, Reason, Spend, StepKind
from streams.contracts.events import DriftEvent, Evidence

HOUR_MS = 3_600_000
START_MS = 1_700_000_000_000


def opened(ledger: Ledger, name: str, time_ms: int) -> Incident:
    event = DriftEvent(
        id=name, kind="loss_drift", transition="confirmed", model="parcels", digest="c" * 64, detector="loss_adwin",
        time_ms=time_ms, bucket_start_ms=time_ms - HOUR_MS, bucket_end_ms=time_ms, rows=900,
        evidence=(Evidence(watched="loss", method="adwin", p_value=0.0004, effect=0.31, effect_unit="nats"),),
    )  # fmt: skip
    ledger.take_event(event)
    return ledger.open_for_event(event, event.kind, "c" * 64, "no incident of this cause is under way", time_ms)


def plan_of(incident: Incident, now_ms: int) -> Plan:
    return Plan(
        model="parcels", incident=incident.id, action="retrain", proposer="policy", requester="driftwake", autonomy="act",
        created_ms=now_ms, expires_ms=now_ms + 24 * HOUR_MS, steps=(PlanStep(key="train", skill="train_model"),),
        reasons=(Reason(text="lost 2.1 points of quality"),), alternatives={"retrain": 1.5, "no_action": 0.0},
        sealed=(now_ms - 9 * HOUR_MS, now_ms), budget_ms=HOUR_MS, configuration="x", champion="c" * 64,
    )  # fmt: skip


def through(ledger: Ledger, incident: Incident, until: str) -> Incident:
    """Move an incident along the way of a promoted challenger until it is in a state."""
    now_ms = incident.moved_ms
    finding = {
        "gate": "beats_champion", "outcome": "pass", "reason": "above the margin",
        "numbers": {"difference": 0.0421, "low": 0.0302, "high": 0.0533},
    }  # fmt: skip
    verdict = {"phase": "sealed", "outcome": "pass", "reason": "all 1 claims hold", "findings": [finding]}
    cause = {"cause": "concept_change", "probability": 0.83, "evidence": {"loss_z": 4.5, "quality_drop": None}}
    weight = {"feature": "weight", "loss": 0.027, "low": 0.02, "high": 0.034}
    expected = {"rise": 0.031, "rows": 300, "columns": [weight]}
    diagnosis = {"causes": [cause], "moved": [{"column": "weight", "effect": 0.4}], "expected": expected}
    thought = {
        "action": "retrain",
        "utilities": {"retrain": 1.5, "no_action": 0.0, "rollback": None},
        "excluded": {"rollback": "none"},
    }
    lesson = Lesson(
        cause="loss_drift", action="retrain", outcome="closed", text="retraining won 4.2 points", numbers={"gain": 0.042}
    )
    moves = [
        Move(to="diagnosed", reason="concept_change", rule="diagnosis", details={"diagnosis": diagnosis}),
        Move(to="planned", reason="lost quality", rule="planner_policy", plan=plan_of(incident, now_ms), details=thought),
        Move(to="awaiting_approval", reason="needs approval", rule="autonomy_propose"),
        Move(to="running", reason="allowed", rule="autonomy_act", details={"rulings": [{"rule": "freeze", "reason": "allowed"}]}),
        Move(to="judged", reason="all 1 claims hold", rule="sealed_pass", challenger="d" * 64, details={"sealed": verdict}),
        Move(to="shadowing", reason="shadow first", rule="shadow_first"),
        Move(to="promoting", reason="held live", rule="shadow_pass", details={"shadow": {**verdict, "phase": "shadow"}}),
        Move(to="probation", reason="serves", rule="promote", spends=(Spend(kind="promotion", amount=1),)),
        Move(to="closed", reason="no harm done", rule="probation_pass", lesson=lesson),
    ]  # fmt: skip
    for move in moves:
        now_ms += HOUR_MS
        incident = ledger.move(incident, move, now_ms)
        if move.to == "running":
            _do(ledger, incident, "train", "skill", payload={}, now_ms=now_ms)
        if move.to == "probation":
            _do(ledger, incident, "promote", "deploy", payload={"generation": 7, "champion": "d" * 64}, now_ms=now_ms)
        if move.to == until:
            break
    return incident


def _do(ledger: Ledger, incident: Incident, key: str, kind: StepKind, *, payload: dict[str, Any], now_ms: int) -> None:
    step = ledger.lease(
        incident.model, incident.id, key, kind=kind, skill=f"{key}_model", owner="me", until_wall_ms=now_ms, now_ms=now_ms
    )
    ledger.finish(ledger.reserve(step, payload, now_ms), {"digest": "d" * 64}, now_ms)
