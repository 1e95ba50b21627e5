"""Planning: from a diagnosis to a plan, and from a plan to permission."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from daemon.errors import PlanRefusedError
from daemon.goals.in_force import InForce
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Incident, Move
from daemon.places import Places
from daemon.planners.base import Planner
from daemon.planning.arbiter import POLICY
from daemon.planning.asks import Asks
from daemon.planning.chooser import HANDS_OFF, Chooser
from daemon.planning.config import PlanningConfig
from daemon.planning.device import Machine
from daemon.planning.drafts import Drafts, restored_by
from daemon.planning.permission import Permission
from daemon.planning.present import Case, Present, Waits, diagnosis_of
from daemon.planning.recipes import recipe_of
from streams.runtime.plugins import load_kind


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
        asks: where that one is asked, so that nobody waits for it; without it, it is waited for.
        machine: reports what a training could have; without it nothing is said of where one should run.

    Attributes:
        approvals: what people say of its plans.
        playbooks: what plans have earned.
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
        asks: Asks | None = None,
        machine: Callable[[], Machine] | None = None,
    ) -> None:
        self._ledger = ledger
        self._places = places
        self._config = config
        self._label_wait_ms = label_wait_ms
        self._judging = judging
        self._asks = asks
        waits = Waits(label_wait_ms, most_waits)
        self._present = Present(ledger, places, config, known_skills, waits=waits, has_windows=has_windows)
        least = (int(judging["least_rows"]), int(judging["least_positives"]))
        self._drafts = Drafts(places, config, least, InForce(ledger, places), machine)
        other = None if config.planner == POLICY else planner or _planner(config.planner)
        self._chooser = Chooser(self._present, self._drafts, config, policy=policy or _planner(POLICY), other=other, asks=asks)
        self._permission = Permission(ledger, places, config, self._present)
        self.approvals = self._permission.approvals
        self.playbooks = self._permission.playbooks

    async def decide(self, incident: Incident, champion: str, now_ms: int) -> Move | None:
        """Choose what to do about a diagnosed incident; None while another planner is asked what it would do."""
        if self._asks is not None and self._asks.is_waiting(incident.id):
            return None
        await self._drafts.look()
        case = Case(incident, champion, now_ms)
        choice = await self._chooser.choose(case)
        if choice is None:
            return None
        proposal = choice.proposal
        thought = {"action": proposal.action, "utilities": proposal.utilities, "excluded": proposal.excluded, **choice.details}
        because = "; ".join(reason.text for reason in proposal.reasons)
        if proposal.action == "wait_for_labels":
            rounds = incident.details.get("rounds", 0) + 1
            return Move(
                to="open", reason=because, rule="wait_for_labels", waits_until_ms=now_ms + self._label_wait_ms,
                details=thought | {"rounds": rounds},
            )  # fmt: skip
        if proposal.action in HANDS_OFF:
            reason = f"{HANDS_OFF[proposal.action]}: {because}"
            return Move(to="no_action", reason=reason, rule=proposal.action, details=thought)
        try:
            plan = self._drafts.plan(proposal, case, choice.proposer)
        except PlanRefusedError as error:
            return Move(to="refused", reason=str(error), rule="plan_schema", details=thought)
        recipe = recipe_of(proposal, diagnosis_of(incident).likely, self._places.model, self._config, self._judging)
        return Move(
            to="planned", reason=because, rule=f"planner_{choice.proposer}", plan=plan, challenger=restored_by(proposal),
            details=thought | ({} if recipe is None else {"recipe": recipe}),
        )  # fmt: skip

    def permit(self, incident: Incident, champion: str, now_ms: int) -> Move | None:
        """Ask the guardrails, then the model's autonomy; None while another incident holds the slots."""
        return self._permission.permit(Case(incident, champion, now_ms))

    def hear(self, incident: Incident, champion: str, now_ms: int) -> Move | None:
        """Look for a person's word on a plan that waits for it."""
        return self._permission.hear(Case(incident, champion, now_ms))

    def may_promote(self, incident: Incident, now_ms: int) -> Move | None:
        """Ask again before the swap itself: a freeze or a used budget makes it wait; None when it may go on or has begun."""
        return self._permission.may_promote(incident, now_ms)

    def frozen(self, now_ms: int) -> str:
        """Say why nothing may be deployed now; empty when it may."""
        return self._present.frozen(now_ms)

    def follow(self, now_ms: int) -> None:
        """See to what the incidents leave behind: playbooks that were earned, and planners whose answer nobody waits for."""
        self.playbooks.follow(now_ms)
        if self._asks is not None and self._asks.incidents:
            waiting = self._ledger.incidents(self._places.model, only_open=True)
            self._asks.keep({one.id for one in waiting if one.state == "diagnosed"})


def _planner(kind: str) -> Planner:
    return cast("Planner", load_kind("daemon.planners", kind).build())
