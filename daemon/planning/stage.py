"""Planning: from a diagnosis to a plan, and from a plan to permission."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from daemon.errors import PlanRefusedError
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Incident, Move, Plan, Reason, Spend, State
from daemon.places import Places
from daemon.planners.base import FORCED, TRAINS, Action, Diagnosis, NoProposalError, Planner, Proposal, Situation
from daemon.planning.approvals import Approvals
from daemon.planning.arbiter import POLICY, REASONS, REQUESTER, Choice, arbitrate, completed, objection, ruled_out, wish
from daemon.planning.compose import Basis, compose
from daemon.planning.config import PlanningConfig
from daemon.planning.device import Load, Machine, Placement, choose
from daemon.planning.guardrails import (
    MINUTE_MS,
    MONTH_MS,
    SITE_RULE,
    Facts,
    Ruling,
    check,
    deployment_freeze,
    needs_approval,
    promotion_room_ms,
)
from daemon.planning.playbooks import Playbooks
from daemon.planning.recipes import recipe_of
from daemon.planning.tried import Tried, label_delay_ms
from streams.contracts.bundle import Manifest
from streams.runtime.logging import Log
from streams.runtime.plugins import load_kind

log = Log("daemon.planning.stage")

# Others' work on the same model: only one incident at a time holds the slots of a challenger.
_HOLDS_SLOTS = frozenset({"running", "judged", "shadowing", "promoting", "probation"})
_HANDS_OFF = {
    "no_action": "doing nothing is best",
    "alert_upstream": "the data is broken upstream: people are told, nothing is trained on it",
}


class Planning:
    """One model's planners, its guardrails and its autonomy.

    Args:
        ledger: promotions, lessons, experiments and approvals are read here.
        places: where the skills find the lake and the registry.
        config: limits and windows.
        known_skills: names of the skills that exist.
        label_wait_ms: how long a wait for labels takes, in event time.
        most_waits: how often to wait.
        judging: the judge's settings by name, which playbooks are bound to, and which say how many rows a judge needs.
        has_windows: whether the model's server computes windows.
        policy: the policy planner, which is always asked; one with the usual settings when not given.
        planner: the one that `config.planner` names, where it is another; made by its `build()` when not given.
        machine: reports what a training could have; without it nothing is said of where one should run.

    Attributes:
        approvals: what people say of its plans.
    """

    def __init__(
        self,
        ledger: Ledger,
        places: Places,
        config: PlanningConfig,
        known_skills: frozenset[str],
        *,
        label_wait_ms: int,
        most_waits: int,
        judging: Mapping[str, Any],
        has_windows: bool = True,
        policy: Planner | None = None,
        planner: Planner | None = None,
        machine: Callable[[], Machine] | None = None,
    ) -> None:
        self._ledger = ledger
        self._places = places
        self._config = config
        self._known_skills = known_skills
        self._label_wait_ms = label_wait_ms
        self._most_waits = most_waits
        self._has_windows = has_windows
        self._policy = policy or _planner(POLICY)
        self._other = None if config.planner == POLICY else planner or _planner(config.planner)
        self._read_machine = machine
        self._machine: Machine | None = None
        self._judging = judging
        self.approvals = Approvals(ledger, config)
        self._tried = Tried(ledger, places, config)
        self.playbooks = Playbooks(ledger, places.model, config)

    async def decide(self, incident: Incident, champion: str, now_ms: int) -> Move:
        """Choose what to do about a diagnosed incident."""
        if self._read_machine is not None:
            self._machine = await asyncio.to_thread(self._read_machine)
        choice = await self._choose(incident, champion, now_ms)
        proposal = choice.proposal
        thought = {"action": proposal.action, "utilities": proposal.utilities, "excluded": proposal.excluded, **choice.details}
        because = "; ".join(reason.text for reason in proposal.reasons)
        if proposal.action == "wait_for_labels":
            rounds = incident.details.get("rounds", 0) + 1
            return Move(
                to="open", reason=because, rule="wait_for_labels", waits_until_ms=now_ms + self._label_wait_ms,
                details=thought | {"rounds": rounds},
            )  # fmt: skip
        if proposal.action in _HANDS_OFF:
            reason = f"{_HANDS_OFF[proposal.action]}: {because}"
            return Move(to="no_action", reason=reason, rule=proposal.action, details=thought)
        try:
            plan = self._compose(proposal, incident, champion, now_ms, proposer=choice.proposer)
        except PlanRefusedError as error:
            return Move(to="refused", reason=str(error), rule="plan_schema", details=thought)
        recipe = recipe_of(proposal, _diagnosis(incident).likely, self._places.model, self._config, self._judging)
        return Move(
            to="planned", reason=because, rule=f"planner_{choice.proposer}", plan=plan, challenger=_restored(proposal),
            details=thought | ({} if recipe is None else {"recipe": recipe}),
        )  # fmt: skip

    def permit(self, incident: Incident, champion: str, now_ms: int) -> Move | None:
        """Ask the guardrails, then the model's autonomy; None while another incident holds the slots."""
        plan = self._plan(incident)
        asks = plan.action == "ask_person"
        if now_ms < plan.expires_ms and not asks and self._is_busy(incident):
            return None
        facts = self._facts(plan, incident, champion, now_ms)
        rulings = check(plan, facts, self._config)
        refused = self._refusal(rulings)
        if refused is not None:
            return refused
        told = {"rulings": [ruling._asdict() for ruling in rulings]}
        if self._config.autonomy == "observe":
            return Move(to="no_action", reason=f"would {plan.action}; autonomy is observe", rule="autonomy_observe", details=told)
        wanted, is_asked = needs_approval(plan, facts, self._config), "asked" in incident.details
        playbook = self.playbooks.covering(incident, _diagnosis(incident).likely) if self._config.autonomy == "propose" else None
        if asks or wanted or is_asked or (self._config.autonomy == "propose" and playbook is None):
            named = f"{SITE_RULE}: {wanted}" if wanted else "asked_for" if is_asked else "autonomy_propose"
            reason = "a person is asked what to do" if asks else f"{plan.action} needs a person's approval"
            return Move(
                to="awaiting_approval", reason=reason, rule="planner_asks" if asks else named, waits_until_ms=plan.expires_ms,
                details=told,
            )  # fmt: skip
        if playbook is None:
            return self._run(plan, "autonomy_act", told, now_ms)
        return self._run(plan, f"playbook: {playbook.digest[:12]}", told | {"playbook": playbook.digest}, now_ms)

    def hear(self, incident: Incident, champion: str, now_ms: int) -> Move | None:
        """Look for a person's word on a plan that waits for it."""
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
        rulings = check(plan, self._facts(plan, incident, champion, now_ms), self._config)
        return self._refusal(rulings) or self._run(plan, "approval", {}, now_ms, approval.id)

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

    def frozen(self, now_ms: int) -> str:
        """Say why nothing may be deployed now; empty when it may."""
        return deployment_freeze(now_ms, self._ledger.frozen_by(self._places.model), self._config)

    def may_promote(self, incident: Incident, now_ms: int) -> Move | None:
        """Ask again before the swap itself: a freeze or a used budget makes it wait; None when it may go on or has begun."""
        if self._ledger.step(incident.id, "promote") is not None:
            return None
        frozen = self.frozen(now_ms)
        if frozen:
            return self._hold(incident, frozen, "freeze", now_ms + self._places.archive_interval_ms)
        if self._plan(incident).action == FORCED:
            return None
        promoted = self._ledger.spent_at(self._places.model, "promotion")
        room_ms = promotion_room_ms(now_ms, promoted, self._config.promotions_per_30d)
        if room_ms is None:
            return Move(to="refused", reason="no promotion is allowed at all", rule="promotion_budget")
        return None if room_ms == now_ms else self._hold(incident, "promotions of 30 days are used", "promotion_budget", room_ms)

    def _hold(self, incident: Incident, reason: str, rule: str, until_ms: int) -> Move:
        since = int(incident.details.get("held_ms", incident.moved_ms))
        if until_ms > since + MONTH_MS:
            return Move(to="expired", reason=f"held back for a month: {reason}", rule=rule)
        return Move(to="promoting", reason=reason, rule=rule, waits_until_ms=until_ms, details={"held_ms": since})

    def _run(self, plan: Plan, rule: str, told: dict[str, Any], now_ms: int, approval: str = "") -> Move:
        spends = (Spend(kind="training_minutes", amount=plan.budget_ms / MINUTE_MS),) if plan.action in TRAINS else ()
        ready_ms = now_ms + plan.budget_ms
        return Move(
            to="running", reason=f"{plan.action} is allowed", rule=rule, spends=spends, approval=approval,
            details=told | {"started_ms": now_ms, "ready_ms": ready_ms},
        )  # fmt: skip

    def _refusal(self, rulings: tuple[Ruling, ...]) -> Move | None:
        objections = [ruling for ruling in rulings if not ruling.allowed]
        if not objections:
            return None
        first = objections[0]
        to: State = "expired" if first.rule == "plan_expiry" else "refused"
        told = {"rulings": [ruling._asdict() for ruling in rulings]}
        return Move(to=to, reason=first.reason, rule=first.rule, details=told)

    def _is_busy(self, incident: Incident) -> bool:
        others = self._ledger.incidents(self._places.model, only_open=True)
        return any(other.id != incident.id and other.state in _HOLDS_SLOTS for other in others)

    def _plan(self, incident: Incident) -> Plan:
        return self._ledger.plan(incident.plan_digest or "")

    async def _choose(self, incident: Incident, champion: str, now_ms: int) -> Choice:
        """Ask the policy planner, then the one that is configured beside it, whose proposal goes first if nothing objects."""
        forced = self._forced(incident)
        if forced is not None:
            return Choice(forced, POLICY, {})
        situation = self._situation(incident, champion, now_ms)
        policy = await self._policy.propose(situation)
        # So that the same can be decided on again, by whatever planner.
        known = {"situation": situation}
        if incident.details.get("asked"):
            choice = self._weigh_wish(incident, policy, champion, now_ms)
            return choice._replace(details=choice.details | known)
        if self._other is None:
            return Choice(policy, POLICY, known)
        heard, reason = await self._hear_other(self._other, situation, policy)
        if heard is not None and not reason:
            reason = self._ruled_out(heard, incident, champion, now_ms)
        if reason:
            log.warning("PlanOverruled", incident=incident.id, planner=self._config.planner, reason=reason)
        choice = arbitrate(policy, self._config.planner, heard, reason)
        return choice._replace(details=choice.details | known)

    def _weigh_wish(self, incident: Incident, policy: Proposal, champion: str, now_ms: int) -> Choice:
        """Weigh what somebody asks for by name like another planner's proposal: it is taken where nothing speaks against it."""
        wished = wish(cast("Action", incident.details["asked"]), policy)
        reason = objection(wished, policy, self._config.tolerated_points) or self._ruled_out(wished, incident, champion, now_ms)
        return arbitrate(policy, REQUESTER, wished, reason)

    async def _hear_other(self, planner: Planner, situation: Situation, policy: Proposal) -> tuple[Proposal | None, str]:
        """Return what another planner proposes, as far as it can be read, and what speaks against it."""
        if situation.submitted:
            return None, "nothing_to_weigh"
        try:
            heard = completed(await planner.propose(situation), policy)
            reason = objection(heard, policy, self._config.tolerated_points)
        except NoProposalError as error:
            return None, error.reason if error.reason in REASONS else "crashed"
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in it: the policy planner's plan is there
            # Not its text and no values of variables, as a logged traceback has them: a key may be among them.
            last = traceback.extract_tb(error.__traceback__)[-1]
            what = {"error": type(error).__name__, "function": last.name, "line": last.lineno}
            log.warning("PlannerFailed", planner=self._config.planner, **what)
            return None, "crashed"
        return (None if reason == "malformed_proposal" else heard), reason

    def _ruled_out(self, proposal: Proposal, incident: Incident, champion: str, now_ms: int) -> str:
        """Say which guardrail the plan of another planner's proposal would not pass; empty when it passes all."""
        if proposal.action == "wait_for_labels" or proposal.action in _HANDS_OFF:
            return ""
        try:
            plan = self._compose(proposal, incident, champion, now_ms, proposer=self._config.planner)
        except PlanRefusedError:
            return "no_plan_fits"
        rulings = check(plan, self._facts(plan, incident, champion, now_ms), self._config)
        return next((ruled_out(ruling.rule) for ruling in rulings if not ruling.allowed), "")

    def _compose(self, proposal: Proposal, incident: Incident, champion: str, now_ms: int, *, proposer: str) -> Plan:
        if proposal.action == FORCED and not incident.details.get("forced"):
            raise PlanRefusedError("only a person may have a bundle serve that wasn't judged")
        diagnosis, restored = _diagnosis(incident), _restored(proposal)
        if restored not in {None, *(one.digest for one in diagnosis.archived)}:
            raise PlanRefusedError("only a bundle that the diagnosis has found in the archive can be restored")
        manifest, challenger = self._places.manifest(champion), incident.challenger or restored
        if challenger and not self._places.manifest(challenger).schema.reads_like(manifest.schema):
            raise PlanRefusedError("the challenger has another schema than the champion")
        delay_ms = label_delay_ms(diagnosis)
        device = self._device(manifest) if proposal.action in TRAINS else None
        cause = diagnosis.likely.cause if diagnosis.likely is not None else ""
        least = (int(self._judging["least_rows"]), int(self._judging["least_positives"]))
        basis = Basis(now_ms, incident, champion, manifest.windows, delay_ms, proposer, diagnosis.change, device, cause, least)
        return compose(proposal, basis, self._places, self._config)

    def _device(self, manifest: Manifest) -> Placement | None:
        """Choose where to train, from what the champion's own training was; None where nobody knows that, or the machine."""
        rows, rounds = (manifest.lineage.get(name) for name in ("fitted_rows", "rounds"))
        if self._machine is None or type(rows) is not int or type(rounds) is not int:
            return None
        columns = len(manifest.schema.features) + len(manifest.windows) + len(manifest.expressions)
        return choose(Load(rows, columns, rounds), self._machine)

    def _forced(self, incident: Incident) -> Proposal | None:
        """Return what a person ordered who wants a bundle to serve whatever a judge would say: there is nothing to weigh."""
        if not incident.details.get("forced"):
            return None
        reason = Reason(text="a person forces the submitted bundle: it serves unjudged, and is compared with the one it replaces")
        return Proposal(action=FORCED, reasons=(reason,), utilities={FORCED: 0.0, "no_action": 0.0})

    def _facts(self, plan: Plan, incident: Incident, champion: str, now_ms: int) -> Facts:
        model, diagnosis = self._places.model, _diagnosis(incident)
        likely = diagnosis.likely
        return Facts(
            now_ms=now_ms,
            known_skills=self._known_skills,
            frozen_by=self._ledger.frozen_by(model),
            promoted_ms=self._ledger.spent_at(model, "promotion"),
            training_minutes=self._ledger.spent(model, "training_minutes", now_ms - MONTH_MS),
            tried=self._ledger.experiments(model, plan.configuration) if plan.configuration else (),
            champion=champion,
            reads=_read_from(plan, self._places),
            declared=self._places.schema,
            cause=likely.cause if likely is not None else "",
            requester_role=incident.details.get("requester_role"),
            change=diagnosis.change,
        )

    def _situation(self, incident: Incident, champion: str, now_ms: int) -> Situation:
        model = self._places.model
        promoted = self._ledger.spent_at(model, "promotion")
        earliest_ms = now_ms + self._config.training_budget.ms + self._config.shadow.ms
        earlier = {step.payload.get("champion") for step in self._ledger.deployments(model, "done")} - {champion, None}
        diagnosis = _diagnosis(incident)
        others = self._tried.others(incident, diagnosis, champion, now_ms)
        return Situation(
            now_ms=now_ms,
            incident_cause=incident.cause,
            incident=incident.id,
            diagnosis=msgspec.structs.replace(diagnosis, archived=others),
            promotions=sum(time_ms > now_ms - MONTH_MS for time_ms in promoted),
            may_promote=promotion_room_ms(earliest_ms, promoted, self._config.promotions_per_30d) == earliest_ms,
            lessons=tuple(self._ledger.lessons(model)),
            waits_left=max(0, self._most_waits - incident.details.get("rounds", 0)),
            submitted=bool(incident.challenger),
            can_roll_back=bool(earlier),
            has_windows=self._has_windows,
            wait_ms=self._label_wait_ms,
            is_frozen=bool(self.frozen(now_ms)),
            tried=self._tried.trainings(champion, now_ms),
            evidence=tuple(event.id for event in self._ledger.events_of(incident.id)[:20]),
        )


def _diagnosis(incident: Incident) -> Diagnosis:
    return msgspec.convert(incident.details.get("diagnosis", {}), Diagnosis)


def _planner(kind: str) -> Planner:
    return cast("Planner", load_kind("daemon.planners", kind).build())


def _read_from(plan: Plan, places: Places) -> Manifest | None:
    """Return the bundle whose columns and windows a training begins from, or that comes back."""
    if plan.action in TRAINS:
        return places.manifest(plan.champion)
    restored = [step.arguments["challenger"] for step in plan.steps if step.skill == "compare_models"]
    return places.manifest(str(restored[0])) if plan.action == "restore_archived" else None


def _restored(proposal: Proposal) -> str | None:
    return proposal.challenger if proposal.action == "restore_archived" else None
