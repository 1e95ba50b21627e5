"""What a plan must pass before anything runs. Each rule is a pure function of the plan and the facts, and names itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from daemon.access.roles import objection
from daemon.ledger.records import Experiment, Plan
from daemon.planners.base import FORCED, REPLACES, TRAINS, Change
from daemon.planning.config import PlanningConfig
from daemon.planning.repeats import in_vain, too_soon
from daemon.planning.rules import SAFE, SiteRule, Wanted, matching
from streams.contracts.bundle import Manifest
from streams.contracts.errors import ContractError
from streams.contracts.features import Window
from streams.contracts.schema import OWN_FACTS, Column, ModelSchema
from streams.windows.facts import columns_of, own_columns

MONTH_MS = 30 * 86_400_000
MINUTE_MS = 60_000
SITE_RULE: Final = "site_rule"
"""What rulings of a site's own rules are called, before the rule's id."""


class Facts(NamedTuple):
    """What the rules look at.

    `promoted_ms` are the times of all promotions, `training_minutes` what was spent in the last 30 days, `tried` what came
    of the plan's configuration before, `frozen_by` who froze deployments. `champion` is the one that serves now, `reads` the
    bundle that a training begins from or that is restored, `declared` the schema that the config declares now. `cause` is the
    likeliest cause, `requester_role` what who asked for the plan may (None: nobody did, an event did). `change` is the newest
    one, with the labelled rows since.
    """

    now_ms: int
    known_skills: frozenset[str]
    frozen_by: str | None
    promoted_ms: Sequence[int]
    training_minutes: float
    tried: Sequence[Experiment]
    champion: str | None = None
    reads: Manifest | None = None
    declared: ModelSchema | None = None
    cause: str = ""
    requester_role: str | None = None
    change: Change | None = None


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
    denied = [rule for rule in _site_rules(plan, facts, config) if rule.effect == "deny"]
    own = [Ruling(f"{SITE_RULE}: {rule.id}", allowed=False, reason=f"the site's rule {rule.id} denies it") for rule in denied]
    return (*rulings, *own)


def needs_approval(plan: Plan, facts: Facts, config: PlanningConfig) -> str:
    """Return the id of the site's rule that wants a person to approve a plan, the empty string when none does."""
    return next((rule.id for rule in _site_rules(plan, facts, config) if rule.effect == "need_approval"), "")


def _site_rules(plan: Plan, facts: Facts, config: PlanningConfig) -> tuple[SiteRule, ...]:
    return matching(config.rules, Wanted(plan.action, facts.cause, plan.model, plan.requester, facts.now_ms))


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


def _requester_may(plan: Plan, facts: Facts, config: PlanningConfig) -> str:
    """A plan runs as who asked for it: what he may not, it may not."""
    if facts.requester_role is None:
        return ""
    return objection(facts.requester_role, "force" if plan.action == FORCED else "judge")


def _not_expired(plan: Plan, facts: Facts, config: PlanningConfig) -> str:
    return "the plan has expired" if facts.now_ms >= plan.expires_ms else ""


def _not_frozen(plan: Plan, facts: Facts, config: PlanningConfig) -> str:
    return "" if plan.action in SAFE else deployment_freeze(facts.now_ms, facts.frozen_by, config)


def _same_champion(plan: Plan, facts: Facts, config: PlanningConfig) -> str:
    if plan.action in {"judge_submitted", "ask_person", FORCED}:
        return ""
    return "" if facts.champion in {None, plan.champion} else "another champion serves than the one that the plan was made for"


def _no_repeat(plan: Plan, facts: Facts, config: PlanningConfig) -> str:
    recent = in_vain(facts.tried, facts.now_ms, config)
    if recent:
        return f"the same was tried {len(recent)} times lately and didn't help"
    return too_soon(facts.tried, plan.sealed, facts.change, config, is_same=plan.action == "restore_archived")


def _promotion_budget(plan: Plan, facts: Facts, config: PlanningConfig) -> str:
    # Judging what somebody submitted promotes nothing yet; the budget is asked again before any swap. It limits driftwake's
    # own swaps, not a person's.
    if plan.action in {*SAFE, "judge_submitted", FORCED}:
        return ""
    earliest_ms = facts.now_ms + plan.budget_ms + config.shadow.ms
    room_ms = promotion_room_ms(earliest_ms, facts.promoted_ms, config.promotions_per_30d)
    return "" if room_ms == earliest_ms else f"{config.promotions_per_30d} promotions in 30 days are allowed, and they are used"


def _training_budget(plan: Plan, facts: Facts, config: PlanningConfig) -> str:
    if plan.action not in TRAINS:
        return ""
    wanted = facts.training_minutes + plan.budget_ms / MINUTE_MS
    return "" if wanted <= config.training_minutes_per_30d else "the training minutes of 30 days are used"


def _no_closed_column(plan: Plan, facts: Facts, config: PlanningConfig) -> str:
    """Refuse a training that reads a tagged column which nobody has granted, maybe since the champion was made."""
    columns = _read_by(plan, facts)
    if columns is None:
        return "a window of the plan reads what isn't declared"
    closed = sorted(column.name for column in columns if column.is_closed)
    return f"column {closed[0]} is tagged, and nobody has granted it" if closed else ""


def _granted_to_requester(plan: Plan, facts: Facts, config: PlanningConfig) -> str:
    """Refuse a training for somebody who may not use a column that it reads, or that its search may come upon."""
    withheld = {name for name, requesters in config.grants.items() if plan.requester not in requesters}
    found = sorted(column.name for column in _read_by(plan, facts) or () if column.name in withheld)
    if found:
        return f"column {found[0]} isn't granted to who requests the plan"
    if facts.declared is None or not any(step.skill == "propose_windows" for step in plan.steps):
        return ""
    own = [column for source in facts.declared.sources for column in source.columns]
    near = sorted(column.name for column in (*facts.declared.columns, *own) if column.granted and column.name in withheld)
    return f"a search could come upon column {near[0]}, which isn't granted to who requests the plan" if near else ""


def _read_by(plan: Plan, facts: Facts) -> list[Column] | None:
    """Return the columns whose values the new champion reads, as they are declared now, or as they were; None: nobody can say."""
    if facts.reads is None or plan.action not in REPLACES:
        return []
    own = facts.reads.schema
    now = facts.declared or own
    schema = msgspec.structs.replace(own, sources=now.sources)
    names = {("requests", column.name) for column in schema.features}
    try:
        for window in _windows_of(plan, facts.reads):
            names |= {(window.source, name) for name in columns_of(window, schema)}
            names |= {("requests", name) for name in own_columns(window)}
    except ContractError:
        return None
    return [column for source, name in sorted(names) if (column := _column(source, name, now, schema)) is not None]


def _windows_of(plan: Plan, reads: Manifest) -> list[Window]:
    """Return the windows of an archived bundle, or those that a training begins with; a search adds what the schema grants."""
    if plan.action not in TRAINS:
        return list(reads.windows)
    given = [step.arguments.get("windows", ()) for step in plan.steps if step.skill == "build_dataset"]
    return [msgspec.convert(one, Window) for windows in given for one in windows]


def _column(source: str, name: str, *schemas: ModelSchema) -> Column | None:
    for schema in schemas:
        own = schema.columns if source in OWN_FACTS else ()
        others = [column for one in schema.sources if one.name == source for column in one.columns]
        for column in (*own, *others):
            if column.name == name:
                return column
    return None


RULES: dict[str, Rule] = {
    "plan_schema": _well_formed,
    "known_skills": _known_skills,
    "requester": _requester_may,
    "plan_expiry": _not_expired,
    "same_champion": _same_champion,
    "no_repeat": _no_repeat,
    "freeze": _not_frozen,
    "tagged_columns": _no_closed_column,
    "grants": _granted_to_requester,
    "promotion_budget": _promotion_budget,
    "training_budget": _training_budget,
}
