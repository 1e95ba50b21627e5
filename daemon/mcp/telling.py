"""What an assistant is told: numbers, words of closed sets, ids that the daemon made, and names that the config registers. Pure.

Who reads this takes text for instructions, and whoever can write to a topic could write some. So no text of a topic is passed on:
categories, foreign names, reasons of people, texts of errors. What must be told apart is numbered (`cat_017`, `person_001`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, get_args

import msgspec

from daemon.api.wire import CommandFate
from daemon.commands.deciding import Again, Choice
from daemon.commands.explaining import Story
from daemon.commands.looking import Status
from daemon.ledger.actors import DAEMON
from daemon.ledger.chain import AuditRecord
from daemon.ledger.records import Incident, PlannedWork, State, Tried
from daemon.planners._claude.dossier import ACTIONS, OPENERS, Dossier
from daemon.planners._claude.words import OTHER, number, word
from daemon.planners.base import Diagnosis, Situation
from daemon.planning.arbiter import POLICY
from streams.contracts.schema import ModelSchema
from streams.runtime.clock import text_of
from streams.runtime.plugins import kinds_of
from streams.runtime.text import cleaned

MOST: Final = 20
"""Most entries of a list that isn't asked for a page at a time."""

_STATES: Final = frozenset(get_args(State))
_AUTONOMY: Final = frozenset({"observe", "propose", "act"})
_OUTCOMES: Final = frozenset({"pass", "fail", "inconclusive"})
_FATES: Final = frozenset({"new", "applied", "rejected"})
_MODEL: Final = re.compile(r"[a-z][a-z0-9_-]{0,40}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_ID: Final = re.compile(r"(inc|goal|cmd)-[0-9]{8}T[0-9]{9}Z-[0-9a-f]{8}")
# Names that only our own code gives: rules, skills, steps, kinds of audit records.
_OURS: Final = re.compile(r"[a-z][a-z0-9_.]{0,63}(: [a-z][a-z0-9_-]{0,63})?")


class Aliases:
    """Numbers what can't be repeated; the same thing has the same number within one answer."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def of(self, what: str, text: str) -> str:
        """Return the number of a text."""
        place = (what, text)
        if place not in self._known:
            count = sum(kind == what for kind, _ in self._known)
            self._known[place] = f"{what}_{count + 1:03d}"
        return self._known[place]

    def person(self, name: str) -> str:
        """Return who somebody is, as far as it can be told."""
        return name if name == DAEMON else self.of("person", name)

    def actor(self, actor: str) -> str:
        """Return who acted, as the audit names him."""
        kind, _, name = actor.partition(":")
        if kind == "person":
            return self.person(name)
        return actor if actor == DAEMON or (kind == "planner" and name in kinds_of("daemon.planners")) else OTHER

    def id(self, text: str) -> str:
        """Return an id that the daemon made, or the number of one that came from elsewhere."""
        return text if _ID.fullmatch(text) else self.of("subject", text)


def status(found: Status) -> list[dict[str, Any]]:
    """Tell how every model stands."""
    return [
        {
            "model": _model(one.model),
            "autonomy": word(one.autonomy, _AUTONOMY),
            "champion": _digest(one.digest),
            "generation": number(one.generation),
            "is_frozen": one.frozen_by is not None,
            "open_incidents": number(one.open_incidents),
            "state": word(one.state, _STATES | {"quiet"}),
            "incidents": number(one.incidents),
            "promotions": number(one.promotions),
        }
        for one in found.models
    ]


def incident(one: Incident, aliases: Aliases) -> dict[str, Any]:
    """Tell where an incident stands."""
    return {
        "incident": aliases.id(one.id),
        "model": _model(one.model),
        "opened_by": word(one.cause, OPENERS),
        "state": word(one.state, _STATES),
        "opened": text_of(one.opened_ms),
        "moved": text_of(one.moved_ms),
        "requester": aliases.person(one.requester),
        "champion": _digest(one.champion),
        "challenger": _digest(one.challenger),
        "plan": _digest(one.plan_digest or ""),
    }


def evidence(found: Story, schema: ModelSchema) -> dict[str, Any]:
    """Tell what was measured about an incident: causes, what moved, where the loss is, labels, quality, and what monitors said.

    Args:
        found: the incident's story.
        schema: the registered columns; others are numbered.
    """
    one = found.incident
    recorded = one.details.get("situation")
    dossier = Dossier(_situation(one, recorded), found.events, schema, frozenset(kinds_of("streams.detectors")))
    said = dossier.overview()
    told = {name: said[name] for name in ("opened_by", "causes", *(("limits",) if recorded else ()))}
    return told | {
        "moved": dossier.drift(MOST),
        "slices": dossier.slices(MOST),
        "labels": dossier.labels(),
        "performance": dossier.performance(),
        "events": dossier.events(MOST),
        "earlier_incidents": dossier.past(MOST),
    }


def story(found: Story, moves: Sequence[AuditRecord]) -> dict[str, Any]:
    """Tell an incident from its opening to its lesson: what was weighed, planned, ruled, done and found.

    Args:
        found: the incident's story.
        moves: the audit's records of its moves.
    """
    aliases = Aliases()
    return {
        "incident": incident(found.incident, aliases),
        "moves": [_move(one) for one in moves],
        "weighed": [
            {"action": word(one.action, ACTIONS), "utility": number(one.utility), "chosen": one.chosen}
            for one in found.alternatives[:MOST]
        ],
        "plan": None if found.plan is None else _plan(found, aliases),
        "rulings": [
            {"rule": _ours(str(one.get("rule", ""))), "allowed": one.get("allowed") is True} for one in found.rulings[:MOST]
        ],
        "steps": [
            {"step": _ours(one.key), "state": _ours(one.state), "failure": _ours(one.failure) if one.failure else ""}
            for one in found.steps[:MOST]
        ],
        "verdicts": {_ours(phase): _verdict(one) for phase, one in found.verdicts.items()},
        "deployments": [
            {
                "state": _ours(one.state),
                "generation": number(one.payload.get("generation")),
                "champion": _digest(str(one.payload.get("champion", ""))),
            }
            for one in found.deployments[:MOST]
        ],
        "lesson": None if found.lesson is None else _numbers(found.lesson.numbers),
        "dollars": number(sum(call.dollars for call in found.calls)),
    }


def plan(one: PlannedWork, aliases: Aliases) -> dict[str, Any]:
    """Tell a plan and what people said of it."""
    return {
        "plan": _digest(one.digest),
        "is_altered": one.altered,
        "incident": aliases.id(one.plan.incident),
        "model": _model(one.plan.model),
        "action": word(one.plan.action, ACTIONS),
        "state": word(one.state, _STATES),
        "requester": aliases.person(one.plan.requester),
        "expires": text_of(one.plan.expires_ms),
        "steps": [_ours(step.skill) for step in one.plan.steps[:MOST]],
        "approvals": [
            {"by": aliases.person(said.by), "decision": _ours(said.decision), "state": _ours(said.state)}
            for said in one.approvals[:MOST]
        ],
    }


def experiment(one: Tried, aliases: Aliases) -> dict[str, Any]:
    """Tell what was tried and what came of it."""
    return {
        "model": _model(one.model),
        "incident": aliases.id(one.incident),
        "action": word(one.action, ACTIONS),
        "outcome": word(one.outcome, _STATES | {"running", "inconclusive"}),
        "time": text_of(one.time_ms),
    }


def record(one: AuditRecord, aliases: Aliases) -> dict[str, Any]:
    """Tell that something stands in the audit, not what it says."""
    return {
        "number": number(one.number),
        "time": text_of(one.time_ms),
        "what": _ours(one.kind),
        "actor": aliases.actor(one.actor),
        "model": _model(one.model),
        "subject": aliases.id(one.subject),
        "incident": aliases.id(one.incident) if one.incident else "",
        "hash": _digest(one.hash),
    }


def decision(found: Again) -> dict[str, Any]:
    """Tell how a decision was made, and how it comes out now."""
    return {
        "decided": text_of(found.decided_ms),
        "is_same": found.is_same,
        "recorded": _choice(found.recorded),
        "now": _choice(found.replayed),
    }


def fate(one: CommandFate) -> dict[str, Any]:
    """Tell what became of a command; the reason only of what assistants can order, whose reasons are our own words."""
    told = {"command": Aliases().id(one.id), "kind": _ours(one.kind), "state": word(one.state, _FATES)}
    return told | ({"reason": cleaned(one.reason, 300)} if one.kind == "propose_plan" else {})


def _situation(one: Incident, recorded: Any) -> Situation:
    """Return what was known when it was planned for, or as much as is known by now."""
    if recorded is not None:
        return msgspec.convert(recorded, Situation)
    diagnosis = msgspec.convert(one.details.get("diagnosis", {}), Diagnosis)
    return Situation(now_ms=one.moved_ms, incident_cause=one.cause, diagnosis=diagnosis, promotions=0, may_promote=False)


def _move(one: AuditRecord) -> dict[str, Any]:
    data = one.data if isinstance(one.data, dict) else {}
    return {
        "time": text_of(one.time_ms),
        "from": word(data.get("from"), _STATES),
        "to": word(data.get("to"), _STATES),
        "rule": _ours(str(data.get("rule", ""))),
        "audit": number(one.number),
    }


def _plan(found: Story, aliases: Aliases) -> dict[str, Any]:
    made = found.plan
    if made is None:
        return {}
    known = {POLICY, *kinds_of("daemon.planners"), "requester"}
    return {
        "plan": _digest(found.plan_digest),
        "action": word(made.action, ACTIONS),
        "proposer": word(made.proposer, known),
        "requester": aliases.person(made.requester),
        "autonomy": word(made.autonomy, _AUTONOMY),
        "sealed": [text_of(moment) for moment in made.sealed],
        "expires": text_of(made.expires_ms),
        "steps": [_ours(step.skill) for step in made.steps[:MOST]],
        "reasons": _reasons(made.proposer, [reason.text for reason in made.reasons]),
    }


def _choice(one: Choice) -> dict[str, Any]:
    utilities = {action: number(value) for action, value in one.utilities.items() if action in ACTIONS}
    return {
        "action": word(one.action, ACTIONS),
        "utilities": dict(sorted(utilities.items())),
        "reasons": _reasons(one.planner, one.reasons),
    }


def _reasons(planner: str, reasons: Iterable[str]) -> list[str]:
    """Return the reasons of the policy planner, which are made of numbers and closed words; what others write stays away."""
    return [cleaned(text, 300) for text in reasons][:MOST] if planner == POLICY else []


def _verdict(told: dict[str, Any]) -> dict[str, Any]:
    findings = [one for one in told.get("findings", ()) if isinstance(one, dict)]
    return {
        "outcome": word(told.get("outcome"), _OUTCOMES),
        "claims": [
            {
                "claim": word(one.get("gate"), kinds_of("daemon.gates")),
                "outcome": word(one.get("outcome"), _OUTCOMES),
                "numbers": _numbers(one.get("numbers") or {}),
            }
            for one in findings[:MOST]
        ],
    }


def _numbers(values: dict[str, Any]) -> dict[str, float | int | None]:
    return {name: number(value) for name, value in sorted(values.items())[: 2 * MOST] if _OURS.fullmatch(name)}


def _model(name: str) -> str:
    return name if _MODEL.fullmatch(name) else OTHER


def _digest(text: str) -> str:
    return text if _DIGEST.fullmatch(text) else ""


def _ours(text: str) -> str:
    return text if _OURS.fullmatch(text) else OTHER
