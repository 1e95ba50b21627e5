"""People's words on plans: who may speak, until when a word is in force, and which one counts."""

from __future__ import annotations

from daemon.ledger.inbox import Order
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Approval, Plan
from daemon.planning.config import PlanningConfig


class Approvals:
    """What people say of one model's plans. A word is bound to a plan's digest, expires by the wall clock, and is used once.

    Args:
        ledger: where words are kept, and plans wait.
        config: says how long a word is in force.
    """

    def __init__(self, ledger: Ledger, config: PlanningConfig) -> None:
        self._ledger = ledger
        self._config = config

    def objection_to(self, order: Order) -> str:
        """Return why an approval or refusal can't be accepted, the empty string when it can."""
        command = order.command
        digest = str(command.arguments.get("plan_digest", ""))
        waiting = [one for one in self._ledger.incidents(command.model, only_open=True) if one.state == "awaiting_approval"]
        if digest not in {incident.plan_digest for incident in waiting}:
            return "no plan of that digest waits for approval"
        plan = self._ledger.plan(digest)
        if command.by in {plan.proposer, plan.requester}:
            return "who proposed or asked for a plan can't approve it"
        if any(approval.by == command.by and self._in_force(approval) for approval in self._ledger.approvals(digest)):
            return "this person has spoken on the plan before"
        return "" if self._ledger.wall_ms() < self._until(order) else "the word expired before the stream went on"

    def accept(self, order: Order, now_ms: int) -> None:
        """Store a person's word on a plan."""
        digest = str(order.command.arguments["plan_digest"])
        self._ledger.give_approval(order.command, digest, self._until(order), now_ms)

    def counting(self, plan: Plan) -> Approval | None:
        """Return the word that decides on a plan, None while there is none; where people disagree, to refuse overrides."""
        found = [
            approval
            for approval in self._ledger.approvals(plan.digest)
            if self._in_force(approval) and approval.by not in {plan.proposer, plan.requester}
        ]
        return min(found, key=lambda approval: approval.decision != "refuse", default=None)

    def _until(self, order: Order) -> int:
        """Say when a word expires: so long after it was given, however long the stream then stood still."""
        given = self._ledger.wall_ms() if order.taken_wall_ms is None else order.taken_wall_ms
        return given + self._config.approval_expiry.ms

    def _in_force(self, approval: Approval) -> bool:
        return approval.state == "given" and self._ledger.wall_ms() < approval.expires_wall_ms
