"""`driftwake replay-incident`: what a planner makes, today, of what was known when an incident was planned."""

from __future__ import annotations

import asyncio
from typing import cast

import msgspec

from daemon.commands.errors import BadInputError
from daemon.commands.looking import known_model
from daemon.commands.screen import Screen, short, when
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Incident, Plan
from daemon.planners.base import NoProposalError, Planner, Proposal, Situation
from daemon.settings import DaemonSettings, GovernedModelSettings
from streams.contracts.errors import PluginError
from streams.runtime.plugins import load_kind


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What a planner chose, and from what: utilities of all that it weighed, and why some couldn't be done."""

    planner: str
    action: str
    utilities: dict[str, float | None]
    excluded: dict[str, str]
    reasons: tuple[str, ...]


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """A decision as it was recorded, and as it comes out now. No plan belongs to a decision to do nothing, or to wait."""

    incident: str
    model: str
    decided_ms: int
    plan_digest: str
    steps: tuple[str, ...]
    recorded: Choice
    replayed: Choice
    is_same: bool


def decide_again(settings: DaemonSettings, ledger: Ledger, incident: Incident, planner: str | None) -> Again:
    """Ask a planner again what to do about an incident; the ledger is only read.

    Raises:
        BadInputError: there is no such planner, or what was known then wasn't recorded.
        LedgerError: the plan was altered.
    """
    plan = ledger.plan(incident.plan_digest) if incident.plan_digest else None
    situation = _situation(incident)
    model = next(one for one in settings.models if one.name == known_model(settings, incident.model))
    kind = planner or model.repeatable_planner
    proposal = ask(kind, model, situation)
    recorded = _recorded(incident, plan)
    replayed = Choice(
        planner=kind, action=proposal.action, utilities=proposal.utilities, excluded=proposal.excluded,
        reasons=tuple(reason.text for reason in proposal.reasons),
    )  # fmt: skip
    return Again(
        incident=incident.id,
        model=incident.model,
        decided_ms=situation.now_ms,
        plan_digest=incident.plan_digest or "",
        steps=tuple(step.skill for step in plan.steps) if plan is not None else (),
        recorded=recorded,
        replayed=replayed,
        is_same=recorded.action == replayed.action,
    )


def ask(kind: str, model: GovernedModelSettings, situation: Situation) -> Proposal:
    """Make a planner as the daemon does, and ask it. Everything that this command knows of how planners are called is here.

    One that must write down what it asks elsewhere, and pays for, has nothing to propose here: nothing is written.

    Raises:
        BadInputError: there is no such planner, or it has nothing to propose.
    """
    try:
        planner = cast("Planner", load_kind("daemon.planners", kind).build(model.planner_section(kind)))
        return asyncio.run(planner.propose(situation))
    except PluginError as error:
        raise BadInputError(f"--planner {kind}: {error}") from error
    except NoProposalError as error:
        raise BadInputError(f"--planner {kind} proposes nothing: {error.reason}") from error


def show(again: Again, screen: Screen) -> None:
    """Show both decisions side by side, and whether they differ."""
    recorded, replayed = again.recorded, again.replayed
    screen.title(f"{again.incident}  {again.model}")
    plan = f"plan {short(again.plan_digest)}: {', '.join(again.steps) or 'no steps'}" if again.plan_digest else "no plan"
    screen.line(f"recorded at {when(again.decided_ms)}: {recorded.action}, {plan}")
    screen.line(f"{replayed.planner} now: {replayed.action}")
    rows = (
        (
            _mark(action, recorded) + " " + _mark(action, replayed) + " " + action, recorded.utilities.get(action),
            replayed.utilities.get(action), recorded.excluded.get(action), replayed.excluded.get(action),
        )
        for action in _by_utility(again)
    )  # fmt: skip
    screen.table(("    action", "recorded#", "now#", "why not, recorded", "why not, now"), rows)
    for choice, who in ((recorded, "recorded"), (replayed, "now")):
        for reason in choice.reasons:
            screen.line(f"{who}, because {reason}")
    screen.line("the same" if again.is_same else f"differs: {recorded.action} was recorded, {replayed.action} comes out now")


def _situation(incident: Incident) -> Situation:
    given = incident.details.get("situation")
    if given is not None:
        try:
            return msgspec.convert(given, Situation)
        except msgspec.ValidationError as error:
            raise BadInputError(f"what was known when {incident.id} was planned is in another version's form: {error}") from error
    if incident.details.get("forced"):
        raise BadInputError(f"a person forced {incident.id}: no planner was asked")
    if "action" in incident.details:
        raise BadInputError(f"what was known when {incident.id} was planned wasn't recorded by the driftwake of that time")
    raise BadInputError(f"{incident.id} is {incident.state}: no planner was asked")


def _recorded(incident: Incident, plan: Plan | None) -> Choice:
    details = incident.details
    return Choice(
        planner=plan.proposer if plan is not None else "",
        action=str(details.get("action", "")),
        utilities=details.get("utilities", {}),
        excluded=details.get("excluded", {}),
        reasons=tuple(reason.text for reason in plan.reasons) if plan is not None else (),
    )


def _by_utility(again: Again) -> list[str]:
    """All actions that either has weighed, the best now first."""
    now = again.replayed.utilities

    def order(action: str) -> tuple[bool, float, str]:
        utility = now.get(action)
        return utility is None, -(utility or 0.0), action

    return sorted(set(now) | set(again.recorded.utilities), key=order)


def _mark(action: str, choice: Choice) -> str:
    return "→" if action == choice.action else " "
