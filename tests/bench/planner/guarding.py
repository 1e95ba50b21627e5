"""The plan that an incident's proposal becomes, and what the guardrails say of it."""

from __future__ import annotations

from typing import Any, Final, cast

from daemon.errors import PlanRefusedError
from daemon.ledger.ids import IncidentId
from daemon.ledger.records import Experiment, Plan
from daemon.ledger.records import Incident as LedgerIncident
from daemon.places import Places
from daemon.planners.base import REPLACES, TRAINS, Proposal, Situation
from daemon.planning.compose import Basis, compose, configuration_of, restoring
from daemon.planning.config import PlanningConfig
from daemon.planning.device import Load, Machine, Placement, choose
from daemon.planning.guardrails import MONTH_MS, Facts, check
from streams.runtime.plugins import kinds_of
from tests.bench.planner.incident import Incident

MODEL: Final = "bench"
CHAMPION: Final = "c" * 64
PLACES: Final = Places(MODEL, "lake", cast("Any", "registry"), 60_000)
ROUNDS = 300
NEEDS_NO_PLAN: Final = frozenset({"no_action", "wait_for_labels", "alert_upstream"})


def placement_of(incident: Incident, proposal: Proposal) -> Placement | None:
    """Return where a training would run; None where nothing is trained, or nothing is said of the machine."""
    machine = incident.machine
    if machine is None or proposal.action not in TRAINS:
        return None
    reported = Machine(float(machine.memory_mb), None if machine.gpu_memory_mb is None else float(machine.gpu_memory_mb))
    return choose(Load(machine.rows, machine.columns, ROUNDS), reported)


def rulings(incident: Incident, situation: Situation, proposal: Proposal) -> tuple[str, ...]:
    """Compose the plan and name the guardrails that would refuse it; none for what needs no plan."""
    if proposal.action in NEEDS_NO_PLAN:
        return ()
    try:
        plan = plan_of(incident, situation, proposal)
    except PlanRefusedError:
        return ("plan_schema",)
    found = check(plan, facts_of(incident, situation, plan), PlanningConfig())
    return tuple(ruling.rule for ruling in found if not ruling.allowed)


def plan_of(incident: Incident, situation: Situation, proposal: Proposal) -> Plan:
    """Compose the plan.

    Raises:
        PlanRefusedError: no steps belong to the action.
    """
    opened = LedgerIncident(
        id=IncidentId("inc"), model=MODEL, cause=situation.incident_cause, state="diagnosed", opened_ms=situation.now_ms,
        moved_ms=situation.now_ms, requester="driftwake", champion=CHAMPION,
        challenger="d" * 64 if situation.submitted else "",
    )  # fmt: skip
    diagnosis = situation.diagnosis
    delay_ms = int(diagnosis.label_state.delay_ms_p90 or 0)
    device = placement_of(incident, proposal)
    basis = Basis(situation.now_ms, opened, CHAMPION, (), delay_ms, change=diagnosis.change, device=device)
    return compose(proposal, basis, PLACES, PlanningConfig())


def facts_of(incident: Incident, situation: Situation, plan: Plan) -> Facts:
    """Return what the guardrails would look at."""
    now_ms = situation.now_ms
    was_tried = plan.configuration in _configurations(incident, situation)
    tried = (Experiment(configuration=plan.configuration, outcome="refused", time_ms=now_ms - 1),) if was_tried else ()
    return Facts(
        now_ms=now_ms, known_skills=frozenset(kinds_of("skills")), frozen_by="ann" if situation.is_frozen else None,
        promoted_ms=() if situation.may_promote else (now_ms - MONTH_MS // 2,), training_minutes=0.0, tried=tried,
        champion=CHAMPION, cause=incident.opened_by,
    )  # fmt: skip


def is_repeat(incident: Incident, proposal: Proposal) -> bool:
    """Whether a proposal is to try the same again."""
    is_same = proposal.train_since_ms is None
    return proposal.action in REPLACES and is_same and proposal.action in incident.standing.tried


def _configurations(incident: Incident, situation: Situation) -> set[str]:
    """Return what was tried lately, as plans name it."""
    tried = incident.standing.tried
    found = {configuration_of(action, CHAMPION, (), PlanningConfig()) for action in sorted(TRAINS) if action in tried}
    if "restore_archived" in tried:
        found |= {restoring(CHAMPION, one.digest) for one in situation.diagnosis.archived}
    return found
