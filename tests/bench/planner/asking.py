"""From an incident's file to what a planner is asked, and what it answers."""

from __future__ import annotations

import time
from typing import NamedTuple, cast

import msgspec

from daemon.ledger.records import Lesson, State
from daemon.planners.base import (
    Archived,
    Cause,
    Change,
    Diagnosis,
    Headroom,
    LabelState,
    Performance,
    Planner,
    Proposal,
    Situation,
)
from skills._kit.causes import weigh
from tests.bench.planner.guarding import placement_of, rulings
from tests.bench.planner.incident import Incident

NOW_MS = 20_000 * 86_400_000
ALMOST_EVERYTHING = 0.97


class Answered(NamedTuple):
    """What came of one incident.

    `causes` are those that the planner was told, the likeliest first; `rulings` are guardrails that would have refused the plan;
    `device` is where a training would run, None where nothing is said of the machine.
    """

    proposal: Proposal
    causes: tuple[str, ...]
    rulings: tuple[str, ...]
    device: str | None
    seconds: float


def situation_of(incident: Incident) -> Situation:
    """Return what the planning stage would hand to a planner."""
    standing = incident.standing
    return Situation(
        now_ms=NOW_MS,
        incident_cause=incident.opened_by,
        diagnosis=diagnosis_of(incident),
        promotions=0 if standing.may_promote else 1,
        may_promote=standing.may_promote,
        lessons=tuple(_lesson(incident, place) for place in range(len(incident.history))),
        waits_left=standing.waits_left,
        wait_ms=standing.wait.ms,
        submitted=standing.submitted,
        can_roll_back=standing.can_roll_back,
        has_windows=standing.has_windows,
        is_frozen=standing.is_frozen,
        tried=standing.tried,
        evidence=("event-1",),
    )


def diagnosis_of(incident: Incident) -> Diagnosis:
    """Return the diagnosis: weighed from evidence where there is evidence, else as handed over."""
    labels, quality, room, change = incident.labels, incident.quality, incident.headroom, incident.change
    return Diagnosis(
        causes=_causes(incident),
        moved=tuple({"feature": text, "statistic": 1.0, "effect": 1.0} for text in incident.hostile),
        slices=tuple({"slice": text, "rows": 100, "loss": 1.0, "excess": 0.5} for text in incident.hostile),
        label_state=LabelState(
            coverage=labels.coverage, delay_ms_p50=labels.delay.ms / 2, delay_ms_p90=float(labels.delay.ms), rows=labels.rows
        ),
        performance=Performance(reference=quality.reference, recent=quality.recent, low=quality.low, high=quality.high),
        headroom=None if room is None else Headroom(value=room.value, low=room.low, high=room.high, rows=room.rows),
        change=None if change is None else Change(since_ms=NOW_MS - change.ago.ms, rows=change.rows),
        archived=tuple(
            Archived(digest=_digest(place), value=one.value, low=one.low, high=one.high, rows=one.rows)
            for place, one in enumerate(incident.archived)
        ),
    )


async def ask(incident: Incident, planner: Planner) -> Answered:
    """Ask a planner, and the guardrails whether its plan might run.

    Args:
        incident: what happened.
        planner: who is asked.
    """
    situation = situation_of(incident)
    begun = time.perf_counter()
    proposal = await planner.propose(situation)
    return answered(incident, situation, proposal, time.perf_counter() - begun)


def answered(incident: Incident, situation: Situation, proposal: Proposal, seconds: float = 0.0) -> Answered:
    """Say what an answer is worth to know of: what was told, what the guardrails say of it, and where it would train."""
    causes = sorted(situation.diagnosis.causes, key=lambda one: (-one.probability, one.cause))
    placement = placement_of(incident, proposal)
    device = None if placement is None else placement.device
    return Answered(proposal, tuple(one.cause for one in causes), rulings(incident, situation, proposal), device, seconds)


def _causes(incident: Incident) -> tuple[Cause, ...]:
    signs = incident.signs
    if signs is None:
        return tuple(Cause(cause=cause, probability=share) for cause, share in incident.causes.items())
    returned = max([0.0, *(one.low for one in incident.archived)])
    found = weigh(msgspec.structs.replace(signs, returned=returned))
    return tuple(Cause(cause=one.cause, probability=one.probability, evidence=one.evidence) for one in found)


def _lesson(incident: Incident, place: int) -> Lesson:
    ended = incident.history[place]
    numbers = {f"cause.{ended.cause}": ALMOST_EVERYTHING}
    return Lesson(
        cause=ended.cause, action=ended.action, outcome=cast("State", ended.outcome), text="", numbers=numbers,
        time_ms=NOW_MS - ended.ago.ms, incident=f"incident-{place}",
    )  # fmt: skip


def _digest(place: int) -> str:
    return f"{place + 1:064x}"
