"""What a plan must pass before anything runs. Each rule is a pure function of the plan and the facts, and names itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from daemon.ledger.records import INCONCLUSIVE, Experiment, Plan
from daemon.planners.base import FORCED, TRAINS
from daemon.planning.config import PlanningConfig

MONTH_MS = 30 * 86_400_000
MINUTE_MS = 60_000
_NOT_AGAINST = frozenset({"closed", "running", INCONCLUSIVE})


class Facts(NamedTuple):
    """What the rules look at.

    `promoted_ms` are the times of all promotions, `training_minutes` what was spent in the last 30 days, `tried` what came
    of the plan's configuration before, `frozen_by` who froze deployments.
    """

    now_ms: int
    known_skills: frozenset[str]
    frozen_by: str | None
    promoted_ms: Sequence[int]
    training_minutes: float
    tried: Sequence[Experiment]


class Ruling(NamedTuple):
    """What one rule says of a plan."""

    rule: str
    allowed: bool
    reason: str


Rule = Callable[[Plan, Facts, PlanningConfig], str]


def check(plan: Plan, facts: Facts, config: PlanningConfig) -> tuple[Ruling, ...]:
    """Ask all rules in order; the plan may run when every ruling allows it."""
    rulings = []
    for name, rule in RULES.items():
        objection = rule(plan, facts, config)
        rulings.append(Ruling(name, not objection, objection or "allowed"))
    return tuple(rulings)


def deployment_freeze(now_ms: int, frozen_by: str | None, config: PlanningConfig) -> str:
    """Return why nothing may be deployed at an event time, the empty string when it may."""
    if config.kill_switch:
        return "the kill switch is on"
    if frozen_by is not None:
        return "deployments are frozen by command"
    if any(freeze.since_ms <= now_ms < freeze.until_ms for freeze in config.freezes):
        return "a freeze window is on"
    return ""


def promotion_room_ms(at_ms: int, promoted_ms: Sequence[int], limit: int) -> int | None:
    """Return the first event time from `at_ms` on when one more promotion fits the budget, None when it never will."""
    recent = sorted(time_ms for time_ms in promoted_ms if time_ms > at_ms - MONTH_MS)
    if limit <= 0:
        return None
    return at_ms if len(recent) < limit else recent[-limit] + MONTH_MS


def _well_formed(plan: Plan, facts: Facts, config: PlanningConfig) -> str:
    seen: set[str] = set()
    for step in plan.steps:
        if step.key in seen or not set(step.needs) <= seen:
            return f"step {step.key} is doubled or needs what comes later"
        seen.add(step.key)
    if plan.sealed[0] >= plan.sealed[1] or plan.sealed[1] > facts.now_ms or not plan.reasons:
        return "the sealed window is empty or in the future, or no reason is given"
    return ""


def _known_skills(plan: Plan, facts: Facts, config: PlanningConfig) -> str:
    unknown = sorted({step.skill for step in plan.steps} - facts.known_skills)
    return f"unknown skills: {len(unknown)}" if unknown else ""


def _not_expired(plan: Plan, facts: Facts, config: PlanningConfig) -> str:
    return "the plan has expired" if facts.now_ms >= plan.expires_ms else ""


def _not_frozen(plan: Plan, facts: Facts, config: PlanningConfig) -> str:
    return "" if plan.action == "rollback" else deployment_freeze(facts.now_ms, facts.frozen_by, config)


def _no_repeat(plan: Plan, facts: Facts, config: PlanningConfig) -> str:
    recent = [
        one for one in facts.tried if one.outcome not in _NOT_AGAINST and facts.now_ms < one.time_ms + config.repeat_after.ms
    ]
    return f"the same was tried {len(recent)} times lately and didn't help" if recent else ""


def _promotion_budget(plan: Plan, facts: Facts, config: PlanningConfig) -> str:
    # Judging what somebody submitted promotes nothing yet; the budget is asked again before any swap. It limits driftwake's
    # own swaps, not a person's.
    if plan.action in {"rollback", "judge_submitted", FORCED}:
        return ""
    earliest_ms = facts.now_ms + plan.budget_ms + config.shadow.ms
    room_ms = promotion_room_ms(earliest_ms, facts.promoted_ms, config.promotions_per_30d)
    return "" if room_ms == earliest_ms else f"{config.promotions_per_30d} promotions in 30 days are allowed, and they are used"


def _training_budget(plan: Plan, facts: Facts, config: PlanningConfig) -> str:
    if plan.action not in TRAINS:
        return ""
    wanted = facts.training_minutes + plan.budget_ms / MINUTE_MS
    return "" if wanted <= config.training_minutes_per_30d else "the training minutes of 30 days are used"


RULES: dict[str, Rule] = {
    "plan_schema": _well_formed,
    "known_skills": _known_skills,
    "plan_expiry": _not_expired,
    "freeze": _not_frozen,
    "no_repeat": _no_repeat,
    "promotion_budget": _promotion_budget,
    "training_budget": _training_budget,
}
