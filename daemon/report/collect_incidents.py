"""An incident as the report shows it, from the same story that `driftwake explain` tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from daemon.commands.explaining import Story, story_of
from daemon.ledger.audit import AuditRecord
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Incident, Step
from daemon.report.collect_steps import COMPARE, candidates, comparison, plan_report
from daemon.report.model import (
    Alternative,
    Cause,
    Comparison,
    Deployed,
    Gate,
    IncidentReport,
    Observation,
)
from daemon.report.wording import number
from streams.contracts.records import CHAMPION

_NAN = float("nan")
_WHERE = {"sealed": "", "shadow": " in shadow", "probation": " in probation"}
_WHAT = {"prepare": "prepared", "promote": "promoted", "rollback": "rolled back", "tidy": "tidied up"}


def incident_report(ledger: Ledger, incident: Incident) -> IncidentReport:
    """Tell an incident from its first event to its lesson.

    Raises:
        LedgerError: its plan was altered.
    """
    return told(story_of(ledger, incident), ledger.trail(incident.id))


def told(story: Story, trail: Iterable[AuditRecord]) -> IncidentReport:
    """Turn a story into the report's shape; `trail` is the incident's part of the audit, for wall times."""
    incident = story.incident
    causes = _causes(story.diagnosis)
    return IncidentReport(
        id=incident.id,
        state=incident.state,
        opened_ms=incident.opened_ms,
        closed_ms=incident.moved_ms if incident.is_over else None,
        title=_title(incident, causes),
        events=tuple(
            Observation(
                time_ms=event.time_ms,
                kind=event.kind,
                detector=event.detector,
                transition=event.transition,
                evidence=event.evidence,
            )
            for event in story.events
        ),
        diagnosis=causes,
        alternatives=_alternatives(story),
        plan=plan_report(story.plan, story.steps, trail) if story.plan is not None else None,
        features=candidates(story.steps),
        comparison=_last(story.steps, _is_sealed),
        live_comparison=_last(story.steps, _is_live),
        gates=_gates(story.verdicts),
        verdict=_verdict(story),
        deployments=tuple(_deployed(incident, step) for step in story.deployments if step.payload),
        lesson=story.lesson.text if story.lesson is not None else "",
    )


def _title(incident: Incident, causes: tuple[Cause, ...]) -> str:
    happened = incident.cause.replace("_", " ").capitalize()
    if incident.requester != "driftwake":
        return f"{happened}, asked for by {incident.requester}"
    likely = max(causes, key=lambda one: one.probability, default=None)
    return happened if likely is None else f"{happened}: {likely.cause.replace('_', ' ')}"


def _causes(diagnosis: Mapping[str, Any]) -> tuple[Cause, ...]:
    return tuple(
        Cause(
            cause=str(one.get("cause", "")),
            probability=float(one.get("probability") or 0.0),
            evidence=_words(one.get("evidence")),
        )
        for one in diagnosis.get("causes", ())
    )


def _words(numbers: Any) -> str:
    if not isinstance(numbers, dict):
        return ""
    return ", ".join(
        f"{name.replace('_', ' ')} {number(value)}" for name, value in numbers.items() if isinstance(value, int | float)
    )


def _alternatives(story: Story) -> tuple[Alternative, ...]:
    because = "; ".join(reason.text for reason in story.plan.reasons) if story.plan is not None else story.incident.reason
    return tuple(
        Alternative(
            action=one.action,
            # What can't be done is worse than everything that can.
            utility=float("-inf") if one.utility is None else one.utility,
            chosen=one.chosen,
            reason=one.excluded or (because if one.chosen else ""),
        )
        for one in story.alternatives
    )


def _is_sealed(step: Step) -> bool:
    return step.skill == COMPARE and bool(step.payload.get("arguments", {}).get("sealed"))


def _is_live(step: Step) -> bool:
    """Whether the challenger ran as a shadow; later the champion before it does."""
    live = step.payload.get("arguments", {}).get("live") if step.skill == COMPARE else None
    return isinstance(live, dict) and live["champion_slot"] == CHAMPION


def _last(steps: Iterable[Step], is_wanted: Callable[[Step], bool]) -> Comparison | None:
    """Return the newest comparison that measured something."""
    found = [comparison(step.result) for step in steps if step.state == "done" and is_wanted(step)]
    return next((one for one in reversed(found) if one is not None), None)


def _gates(verdicts: Mapping[str, Mapping[str, Any]]) -> tuple[Gate, ...]:
    return tuple(
        Gate(
            claim=f"{finding['gate']}{_WHERE.get(phase, '')}",
            verdict=str(finding["outcome"]),
            reason=str(finding["reason"]),
            numbers={name: _NAN if value is None else float(value) for name, value in finding["numbers"].items()},
        )
        for phase, verdict in verdicts.items()
        for finding in verdict.get("findings", ())
    )


def _verdict(story: Story) -> str:
    """Say what each phase came to, and why the incident ended when that is something else."""
    said = [f"{phase}: {verdict.get('outcome')}, {verdict.get('reason')}" for phase, verdict in story.verdicts.items()]
    reasons = {verdict.get("reason") for verdict in story.verdicts.values()}
    incident = story.incident
    if incident.is_over and incident.reason not in reasons:
        said.append(f"{incident.state.replace('_', ' ')}: {incident.reason}")
    return "; ".join(said)


def _deployed(incident: Incident, step: Step) -> Deployed:
    begun = step.key.partition("_")[0]
    return Deployed(
        time_ms=int(step.payload["effective_ms"]),
        what=_WHAT.get(begun, begun),
        generation=int(step.payload["generation"]),
        digest=_concerned(step) or incident.challenger,
        reason=str(step.payload.get("reason", "")),
    )


def _concerned(step: Step) -> str:
    """Return the bundle that a deployment is about: the one to prepare, the one in the shadow, else the champion."""
    begun, _, name = step.key.partition("_")
    if begun == "prepare":
        return next((str(digest) for digest in step.payload.get("preparing", ()) if str(digest).startswith(name)), "")
    if begun == "shadow":
        return next((str(slot["digest"]) for slot in step.payload.get("active", ()) if slot["name"] == name), "")
    return str(step.payload["champion"])
