"""Whom of the planners is asked what, and whose proposal goes on: the policy planner always, another one beside it."""

from __future__ import annotations

from functools import partial
from typing import Final, cast

from daemon.errors import PlanRefusedError
from daemon.ledger.records import Incident, Reason
from daemon.planners.base import FORCED, Action, Planner, Proposal, Situation
from daemon.planning.arbiter import POLICY, REQUESTER, Choice, arbitrate, changes, completed, objection, ruled_out, wish
from daemon.planning.asks import Answer, Asks, ask, crashed
from daemon.planning.config import PlanningConfig
from daemon.planning.drafts import Drafts
from daemon.planning.guardrails import check
from daemon.planning.present import Case, Present
from streams.runtime.logging import Log

log = Log("daemon.planning.chooser")

HANDS_OFF: Final[dict[Action, str]] = {
    "no_action": "doing nothing is best",
    "alert_upstream": "the data is broken upstream: people are told, nothing is trained on it",
}
"""What needs no plan, and how people are told of it."""


class Chooser:
    """Chooses between the proposals of one model's planners.

    Args:
        present: what is known now.
        drafts: makes the plan that guardrails are asked about.
        config: names the other planner, and says what is tolerated of it.
        policy: the policy planner, which is always asked.
        other: who is asked beside it; None for nobody.
        asks: the other planner is asked here, and nobody waits for it. Without it it is waited for: in a replay, where the
            machine's speed may change nothing.
    """

    def __init__(
        self,
        present: Present,
        drafts: Drafts,
        config: PlanningConfig,
        *,
        policy: Planner,
        other: Planner | None = None,
        asks: Asks | None = None,
    ) -> None:
        self._present = present
        self._drafts = drafts
        self._config = config
        self._policy = policy
        self._other = other
        self._asks = asks

    async def choose(self, case: Case) -> Choice | None:
        """Ask the policy planner, then the other, whose proposal goes first if nothing objects; None while that is being asked.

        An answer is held to what is known now, whatever was when it was asked for.
        """
        forced = _forced(case.incident)
        if forced is not None:
            return Choice(forced, POLICY, {})
        situation = self._present.situation(case)
        policy = await self._policy.propose(situation)
        choice: Choice | None = Choice(policy, POLICY, {})
        if case.incident.details.get("asked"):
            choice = self._weigh_wish(policy, case)
        elif self._other is not None:
            answer = await self._answer(self._other, situation, case.champion)
            choice = None if answer is None else self._weigh(answer, policy, situation, case)
        # So that the same can be decided on again, by whatever planner.
        return None if choice is None else choice._replace(details=choice.details | {"situation": situation})

    def _weigh_wish(self, policy: Proposal, case: Case) -> Choice:
        """Weigh what somebody asks for by name like another planner's proposal: it is taken where nothing speaks against it."""
        wished = wish(cast("Action", case.incident.details["asked"]), policy)
        reason = objection(wished, policy, self._config.tolerated_points) or self._ruled_out(wished, case)
        return arbitrate(policy, REQUESTER, wished, reason)

    async def _answer(self, planner: Planner, situation: Situation, champion: str) -> Answer | None:
        """Return what the other planner answers, None while it is being asked."""
        if situation.submitted:
            return Answer(None, "nothing_to_weigh", situation, champion)
        asking = partial(ask, planner, self._config.planner, situation, champion)
        if self._asks is None:
            return await asking()
        return self._asks.answer(situation.incident, partial(asking, within_s=self._asks.within_s))

    def _weigh(self, answer: Answer, policy: Proposal, situation: Situation, case: Case) -> Choice:
        heard, reason = self._read(answer, policy)
        if heard is not None and answer.champion != case.champion:
            reason = "another_champion"
        elif heard is not None and not reason:
            reason = self._ruled_out(heard, case)
        if reason:
            log.warning("PlanOverruled", incident=case.incident.id, planner=self._config.planner, reason=reason)
        replaced = ("champion",) if answer.champion != case.champion else ()
        changed = (*replaced, *changes(answer.situation, situation))
        return arbitrate(policy, self._config.planner, heard, reason, changed=changed)

    def _read(self, answer: Answer, policy: Proposal) -> tuple[Proposal | None, str]:
        """Return what another planner proposes, as far as it can be read, and what the policy planner has against it now."""
        if answer.proposal is None:
            return None, answer.reason or "malformed_proposal"
        try:
            heard = completed(answer.proposal, policy)
            reason = objection(heard, policy, self._config.tolerated_points)
        except Exception as error:  # noqa: BLE001 - planners of other distributions may answer anything
            return None, crashed(error, self._config.planner)
        return (None if reason == "malformed_proposal" else heard), reason

    def _ruled_out(self, proposal: Proposal, case: Case) -> str:
        """Say which guardrail the plan of another planner's proposal would not pass; empty when it passes all."""
        if proposal.action == "wait_for_labels" or proposal.action in HANDS_OFF:
            return ""
        try:
            plan = self._drafts.plan(proposal, case, self._config.planner)
        except PlanRefusedError:
            return "no_plan_fits"
        rulings = check(plan, self._present.facts(plan, case), self._config)
        return next((ruled_out(ruling.rule) for ruling in rulings if not ruling.allowed), "")


def _forced(incident: Incident) -> Proposal | None:
    """Return what a person ordered who wants a bundle to serve whatever a judge would say: there is nothing to weigh."""
    if not incident.details.get("forced"):
        return None
    reason = Reason(text="a person forces the submitted bundle: it serves unjudged, and is compared with the one it replaces")
    return Proposal(action=FORCED, reasons=(reason,), utilities={FORCED: 0.0, "no_action": 0.0})
