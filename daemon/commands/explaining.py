"""`driftwake explain`: everything the ledger knows of one incident, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from daemon.ledger.audit import AuditRecord, Only
from daemon.ledger.calls import LlmCall
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Incident, Lesson, Plan, Step
from streams.contracts.events import DriftEvent

PHASES = ("sealed", "shadow", "probation")
_MOST_RECORDS = 10_000


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the timeline. `number` is the audit record that holds it."""

    number: int
    time_ms: int
    what: str
    text: str


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """One action that was weighed. No utility: it couldn't be done, and `excluded` says why."""

    action: str
    utility: float | None
    excluded: str
    chosen: bool


class Weighing(msgspec.Struct, frozen=True, kw_only=True):
    """Whose plan was taken where another planner was asked beside the policy planner, and how the two differ.

    `reason` is why the other's wasn't taken, empty where it was. `utilities` are those that differ, the policy planner's first.
    `changed` is what became different while the other was asked: both were held to what was known afterwards.
    """

    asked: str
    used: str
    reason: str
    actions: dict[str, str]
    utilities: dict[str, tuple[float | None, float | None]]
    reasons: dict[str, tuple[str, ...]]
    changed: tuple[str, ...] = ()


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """An incident from its first event to its lesson. What hasn't happened is empty."""

    incident: Incident
    timeline: tuple[Happening, ...]
    events: tuple[DriftEvent, ...]
    diagnosis: dict[str, Any]
    alternatives: tuple[Alternative, ...]
    planners: Weighing | None
    calls: tuple[LlmCall, ...]
    plan: Plan | None
    plan_digest: str
    rulings: tuple[dict[str, Any], ...]
    steps: tuple[Step, ...]
    verdicts: dict[str, dict[str, Any]]
    deployments: tuple[Step, ...]
    lesson: Lesson | None


def story_of(ledger: Ledger, incident: Incident) -> Story:
    """Read everything about an incident.

    Raises:
        LedgerError: its plan was altered.
    """
    steps = ledger.steps(incident.id)
    details = incident.details
    return Story(
        incident=incident,
        timeline=tuple(_happening(record) for record in ledger.trail(limit=_MOST_RECORDS, only=Only(incident=incident.id))),
        events=tuple(ledger.events_of(incident.id)),
        diagnosis=details.get("diagnosis", {}),
        alternatives=_alternatives(details),
        planners=_weighing(details.get("arbitration", {})),
        calls=tuple(ledger.calls_of(incident.id)),
        plan=ledger.plan(incident.plan_digest) if incident.plan_digest else None,
        plan_digest=incident.plan_digest or "",
        rulings=tuple(details.get("rulings", ())),
        steps=tuple(step for step in steps if step.kind == "skill"),
        verdicts={phase: details[phase] for phase in PHASES if isinstance(details.get(phase), dict)},
        deployments=tuple(step for step in steps if step.kind == "deploy"),
        lesson=next((lesson for lesson in ledger.lessons(incident.model, _MOST_RECORDS) if lesson.incident == incident.id), None),
    )


def _alternatives(details: dict[str, Any]) -> tuple[Alternative, ...]:
    utilities: dict[str, float | None] = details.get("utilities", {})
    excluded: dict[str, str] = details.get("excluded", {})
    weighed = [
        Alternative(action=action, utility=utility, excluded=excluded.get(action, ""), chosen=action == details.get("action"))
        for action, utility in utilities.items()
    ]
    return tuple(sorted(weighed, key=lambda one: (one.utility is None, -(one.utility or 0.0), one.action)))


def _weighing(told: dict[str, Any]) -> Weighing | None:
    if not told:
        return None
    proposals: dict[str, dict[str, Any]] = told["proposals"]
    return Weighing(
        asked=told["asked"],
        used=told["used"],
        reason=told["reason"],
        actions={planner: one["action"] for planner, one in proposals.items()},
        utilities={action: (pair[0], pair[1]) for action, pair in told["difference"].get("utilities", {}).items()},
        reasons={planner: tuple(reason["text"] for reason in one["reasons"]) for planner, one in proposals.items()},
        changed=tuple(told.get("changed", ())),
    )


def _happening(record: AuditRecord) -> Happening:
    return Happening(number=record.number, time_ms=record.time_ms, what=record.kind, text=_told(record.kind, record.data))


def _told(kind: str, data: dict[str, Any]) -> str:
    if kind == "incident.moved":
        return f"{data.get('from')} → {data.get('to')}: {data.get('reason')} [{data.get('rule')}]"
    if kind.startswith("step."):
        tail = f": {data['failure']}" if data.get("failure") else ""
        return f"{data.get('skill')}, attempt {data.get('attempt')}{tail}"
    if kind == "incident.opened":
        return f"{data.get('cause')}: {data.get('rule', data.get('command', ''))}"
    return _facts(data)


def _facts(data: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in data.items() if isinstance(value, str | int | float))


def intervals_in(numbers: dict[str, Any]) -> Sequence[tuple[str, float, str]]:
    """List a gate's numbers with their intervals: (name, value, `low … high` or nothing)."""
    interval = f"{numbers['low']:.4f} … {numbers['high']:.4f}" if {"low", "high"} <= set(numbers) else ""
    rest = [(name, value) for name, value in numbers.items() if name not in {"low", "high"}]
    return [(name, value, interval if name == "difference" else "") for name, value in rest]
