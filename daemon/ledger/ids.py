"""Typed ids, built here and nowhere else: event time first, so they sort by time, then a digest, so a replay repeats them."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, NewType

from daemon.ledger.canonical import canonical, digest_of_bytes

IncidentId = NewType("IncidentId", str)
PlanDigest = NewType("PlanDigest", str)
StepId = NewType("StepId", str)
GoalId = NewType("GoalId", str)

_INCIDENT = re.compile(r"inc-\d{8}T\d{9}Z-[0-9a-f]{8}")


def time_part(time_ms: int) -> str:
    """Write event time so that text sorts as time does: `20130401T063000000Z`."""
    moment = dt.datetime.fromtimestamp(time_ms / 1_000, dt.UTC)
    return f"{moment:%Y%m%dT%H%M%S}{time_ms % 1_000:03d}Z"


def incident_id(model: str, cause: str, opened_ms: int, opener: str) -> IncidentId:
    """Name the incident that `opener` (an event or command id) opened."""
    return IncidentId(f"inc-{time_part(opened_ms)}-{short_digest([model, cause, opener])}")


def incident_in(subject: str) -> str:
    """Return the incident that a step or note is about; empty when it is about something else."""
    return subject if _INCIDENT.fullmatch(subject) else ""


def goal_id(model: str, proposed_ms: int, opener: str) -> GoalId:
    """Name the goal that a command proposed."""
    return GoalId(f"goal-{time_part(proposed_ms)}-{short_digest([model, opener])}")


def step_id(subject: str, key: str) -> StepId:
    """Name the step `key` of an incident or command."""
    return StepId(f"{subject}.{key}")


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a plain value's canonical JSON, in hex."""
    return digest_of_bytes(canonical(value))


def short_digest(value: Any) -> str:
    """Return the first 8 hex digits of `digest_of`."""
    return digest_of(value)[:8]
