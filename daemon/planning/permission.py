"""From a plan to permission: the guardrails, the model's autonomy, people's words, and the limits on the swap itself."""

from __future__ import annotations

from typing import Any

from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Incident, Move, Plan, Spend, State
from daemon.places import Places
from daemon.planners.base import FORCED, TRAINS
from daemon.planning.approvals import Approvals
from daemon.planning.config import PlanningConfig
from daemon.planning.guardrails import MINUTE_MS, MONTH_MS, SITE_RULE, Ruling, check, needs_approval, promotion_room_ms
from daemon.planning.playbooks import Playbooks
from daemon.planning.present import Case, Present, diagnosis_of
from streams.runtime.logging import Log

log = Log("daemon.planning.permission")

# Others' work on the same model: only one incident at a time holds the slots of a challenger.
_HOLDS_SLOTS = frozenset({"running", "judged", "shadowing", "promoting", "probation"})


class Permission:
    """Says which plans of one model may run, and when.

    Args:
        ledger: plans, promotions and approvals are read here.
        places: names the model, and the rhythm of its archive.
        config: autonomy and limits.
        present: what is known now.

    Attributes:
        approvals: what people say of plans.
        playbooks: which plans need nobody's word.
    """

    def __init__(self, ledger: Ledger, places: Places, config: PlanningConfig, present: Present) -> None:
        self._ledger = ledger
        self._places = places
        self._config = config
        self._present = present
        self.approvals = Approvals(ledger, config)
        self.playbooks = Playbooks(ledger, places.model, config)

    def permit(self, case: Case) -> Move | None:
        """Ask the guardrails, then the model's autonomy; None while another incident holds the slots."""
        incident, now_ms = case.incident, case.now_ms
        plan = self._plan(incident)
        asks = plan.action == "ask_person"
        if now_ms < plan.expires_ms and not asks and self._is_busy(incident):
            return None
        facts = self._present.facts(plan, case)
        rulings = check(plan, facts, self._config)
        refused = _refusal(rulings)
        if refused is not None:
            return refused
        told = {"rulings": [ruling._asdict() for ruling in rulings]}
        if self._config.autonomy == "observe":
            return Move(to="no_action", reason=f"would {plan.action}; autonomy is observe", rule="autonomy_observe", details=told)
        wanted, is_asked = needs_approval(plan, facts, self._config), "asked" in incident.details
        playbook = (
            self.playbooks.covering(incident, diagnosis_of(incident).likely) if self._config.autonomy == "propose" else None
        )
        if asks or wanted or is_asked or (self._config.autonomy == "propose" and playbook is None):
            named = f"{SITE_RULE}: {wanted}" if wanted else "asked_for" if is_asked else "autonomy_propose"
            reason = "a person is asked what to do" if asks else f"{plan.action} needs a person's approval"
            return Move(
                to="awaiting_approval", reason=reason, rule="planner_asks" if asks else named, waits_until_ms=plan.expires_ms,
                details=told,
            )  # fmt: skip
        if playbook is None:
            return _run(plan, "autonomy_act", told, now_ms)
        return _run(plan, f"playbook: {playbook.digest[:12]}", told | {"playbook": playbook.digest}, now_ms)

    def hear(self, case: Case) -> Move | None:
        """Look for a person's word on a plan that waits for it."""
        incident, now_ms = case.incident, case.now_ms
        plan = self._plan(incident)
        approval = self.approvals.counting(plan)
        if now_ms >= plan.expires_ms:
            why = "nobody approved the plan in time" if approval is None else "another incident held the slots for too long"
            return Move(to="expired", reason=why, rule="plan_expiry")
        if approval is None:
            return self._reminder(incident, plan, now_ms)
        if approval.decision == "refuse":
            return Move(to="refused", reason="a person refused the plan", rule="approval", approval=approval.id)
        if plan.action == "ask_person":
            return Move(to="no_action", reason="a person takes care of it", rule="person_took_over", approval=approval.id)
        if self._is_busy(incident):
            return None
        rulings = check(plan, self._present.facts(plan, case), self._config)
        return _refusal(rulings) or _run(plan, "approval", {}, now_ms, approval.id)

    def may_promote(self, incident: Incident, now_ms: int) -> Move | None:
        """Ask again before the swap itself: a freeze or a used budget makes it wait; None when it may go on or has begun."""
        if self._ledger.step(incident.id, "promote") is not None:
            return None
        frozen = self._present.frozen(now_ms)
        if frozen:
            return _hold(incident, frozen, "freeze", now_ms + self._places.archive_interval_ms)
        if self._plan(incident).action == FORCED:
            return None
        promoted = self._ledger.spent_at(self._places.model, "promotion")
        room_ms = promotion_room_ms(now_ms, promoted, self._config.promotions_per_30d)
        if room_ms is None:
            return Move(to="refused", reason="no promotion is allowed at all", rule="promotion_budget")
        return None if room_ms == now_ms else _hold(incident, "promotions of 30 days are used", "promotion_budget", room_ms)

    def _reminder(self, incident: Incident, plan: Plan, now_ms: int) -> Move | None:
        """Remind people once that a plan waits for them, before it expires."""
        ahead_ms = min(self._config.remind_before.ms, (plan.expires_ms - plan.created_ms) // 2)
        if now_ms < plan.expires_ms - ahead_ms or "reminded_ms" in incident.details:
            return None
        log.warning("ApprovalReminded", incident=incident.id, action=plan.action, plan=plan.digest, expires_ms=plan.expires_ms)
        return Move(
            to="awaiting_approval", reason=f"{plan.action} still waits for a person, and expires soon", rule="approval_reminder",
            details={"reminded_ms": now_ms}, waits_until_ms=plan.expires_ms,
        )  # fmt: skip

    def _is_busy(self, incident: Incident) -> bool:
        others = self._ledger.incidents(self._places.model, only_open=True)
        return any(other.id != incident.id and other.state in _HOLDS_SLOTS for other in others)

    def _plan(self, incident: Incident) -> Plan:
        return self._ledger.plan(incident.plan_digest or "")


def _hold(incident: Incident, reason: str, rule: str, until_ms: int) -> Move:
    since = int(incident.details.get("held_ms", incident.moved_ms))
    if until_ms > since + MONTH_MS:
        return Move(to="expired", reason=f"held back for a month: {reason}", rule=rule)
    return Move(to="promoting", reason=reason, rule=rule, waits_until_ms=until_ms, details={"held_ms": since})


def _run(plan: Plan, rule: str, told: dict[str, Any], now_ms: int, approval: str = "") -> Move:
    spends = (Spend(kind="training_minutes", amount=plan.budget_ms / MINUTE_MS),) if plan.action in TRAINS else ()
    ready_ms = now_ms + plan.budget_ms
    return Move(
        to="running", reason=f"{plan.action} is allowed", rule=rule, spends=spends, approval=approval,
        details=told | {"started_ms": now_ms, "ready_ms": ready_ms},
    )  # fmt: skip


def _refusal(rulings: tuple[Ruling, ...]) -> Move | None:
    objections = [ruling for ruling in rulings if not ruling.allowed]
    if not objections:
        return None
    first = objections[0]
    to: State = "expired" if first.rule == "plan_expiry" else "refused"
    told = {"rulings": [ruling._asdict() for ruling in rulings]}
    return Move(to=to, reason=first.reason, rule=first.rule, details=told)
