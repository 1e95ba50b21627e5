"""Which planner's proposal becomes the plan. Pure.

The policy planner's is always there. Another planner's is taken where it is well formed, possible, no harm is expected of it and
the guardrails let it through; else the policy planner's, with the reason. Both, and how they differ, are kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple, get_args

import msgspec

from daemon.ledger.canonical import plain
from daemon.ledger.records import Reason
from daemon.planners.base import Action, Proposal, Situation, WhyNot
from daemon.planning.guardrails import RULES, SITE_RULE

POLICY: Final = "policy"
"""The planner that is always asked, and whose proposal is taken where no other's is."""

REQUESTER: Final = "requester"
"""Who proposes what somebody asks for by name; no planner is called that."""

Objection = Literal[
    "malformed_proposal", "not_weighed", "not_possible", "expected_harm", "nothing_to_weigh", "no_plan_fits", "repeat",
    "another_champion",
]  # fmt: skip
REASONS: Final = frozenset(
    {"", *get_args(WhyNot), *get_args(Objection), *(f"guardrail_{rule}" for rule in (*RULES, SITE_RULE) if rule != "no_repeat")}
)
"""Why another planner's proposal isn't taken; empty where it is. A closed set, for people who count."""

MOST_REASONS: Final = 20
LONGEST_REASON: Final = 2_000
# An event time that JSON can keep.
_LATEST_MS: Final = 2**53
_ACTIONS: Final = frozenset(get_args(Action))


class Choice(NamedTuple):
    """The proposal that becomes the plan, whose it is, and what is kept of the choice: nothing where nobody else was asked."""

    proposal: Proposal
    proposer: str
    details: dict[str, Any]


def objection(proposal: Proposal, policy: Proposal, tolerated_points: float) -> Objection | Literal[""]:
    """Say what is wrong with another planner's proposal, whoever made it; empty when nothing is.

    An action is possible where the policy planner could weigh it: it knows the preconditions of each. It need not be the one
    that the policy planner would take, but not one of which it expects harm.

    Args:
        proposal: another planner's.
        policy: the policy planner's for the same situation.
        tolerated_points: how far below doing nothing the policy planner may see what is proposed.
    """
    if not _is_well_formed(proposal):
        return "malformed_proposal"
    expected = policy.utilities.get(proposal.action)
    if expected is None:
        return "not_possible"
    if proposal.utilities.get(proposal.action) is None or "no_action" not in proposal.utilities:
        return "not_weighed"
    return "expected_harm" if expected < -tolerated_points else ""


def completed(proposal: Proposal, policy: Proposal) -> Proposal:
    """Return another planner's proposal with what it leaves open: the rows to learn from, and the bundle to restore.

    Both follow from what the diagnosis measured, so the policy planner's word on them is as good as any.
    """
    since_ms = policy.train_since_ms if proposal.train_since_ms is None else proposal.train_since_ms
    return msgspec.structs.replace(proposal, train_since_ms=since_ms, challenger=proposal.challenger or policy.challenger)


def wish(action: Action, policy: Proposal) -> Proposal:
    """Return what somebody asks for as a proposal, seen as the policy planner sees it."""
    reasons = (Reason(text=f"somebody asks for {action}"), *policy.reasons)[:MOST_REASONS]
    return completed(msgspec.structs.replace(policy, action=action, reasons=reasons), policy)


def ruled_out(rule: str) -> str:
    """Name the reason when a guardrail objects; which of the site's own rules it was isn't said."""
    return "repeat" if rule == "no_repeat" else f"guardrail_{rule.partition(':')[0]}"


def arbitrate(policy: Proposal, planner: str, heard: Proposal | None, reason: str, *, changed: Sequence[str] = ()) -> Choice:
    """Choose between the policy planner's proposal and another's.

    Args:
        policy: the policy planner's.
        planner: the other's kind.
        heard: what the other proposed, None when nothing.
        reason: why that isn't taken, one of `REASONS`; empty when it is.
        changed: what has become different since the other was asked.
    """
    taken = None if reason else heard
    chosen, proposer = (policy, POLICY) if taken is None else (taken, planner)
    told = {
        "asked": planner,
        "used": proposer,
        "reason": reason,
        "proposals": {POLICY: plain(policy)} | ({planner: plain(heard)} if heard is not None else {}),
        "difference": {} if heard is None else difference(policy, heard),
    }
    return Choice(chosen, proposer, {"arbitration": told | ({"changed": list(changed)} if changed else {})})


def difference(policy: Proposal, other: Proposal) -> dict[str, Any]:
    """Return what two proposals don't agree on, the policy planner's side first; empty when they agree."""
    found: dict[str, Any] = {}
    if policy.action != other.action:
        found["action"] = [policy.action, other.action]
    actions = sorted({*policy.utilities, *other.utilities})
    sides = {action: [policy.utilities.get(action), other.utilities.get(action)] for action in actions}
    unlike = {action: plain(pair) for action, pair in sides.items() if pair[0] != pair[1]}
    return found | ({"utilities": unlike} if unlike else {})


def changes(asked: Situation, now: Situation) -> tuple[str, ...]:
    """Name what is different by now from when a planner was asked, but for the time, which always is."""
    names = (name for name in Situation.__struct_fields__ if name != "now_ms")
    return tuple(name for name in names if getattr(asked, name) != getattr(now, name))


def _is_well_formed(proposal: Proposal) -> bool:
    """Whether a proposal is what its type says: planners of other distributions are not ours to trust."""
    try:
        msgspec.convert(msgspec.to_builtins(proposal), Proposal)
    except (TypeError, msgspec.ValidationError):
        return False
    return (
        {*proposal.utilities, *proposal.excluded} <= _ACTIONS
        and all(value is None or math.isfinite(value) for value in proposal.utilities.values())
        and all(len(why) <= LONGEST_REASON for why in proposal.excluded.values())
        and 0 <= (proposal.train_since_ms or 0) < _LATEST_MS
        and 0 < len(proposal.reasons) <= MOST_REASONS
        and all(0 < len(reason.text) <= LONGEST_REASON for reason in proposal.reasons)
    )
