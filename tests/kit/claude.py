"""A Claude planner that asks a scripted server, about an incident in a real ledger."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from daemon.ledger.ledger import Ledger, open_ledger
from daemon.ledger.records import Lesson
from daemon.planners._claude.config import ClaudeConfig
from daemon.planners.base import Cause, Diagnosis, Headroom, LabelState, Office, Performance, Situation
from daemon.planners.claude import ClaudePlanner
from streams.contracts.schema import Column, ModelSchema
from tests.kit.incidents import START_MS, opened
from tests.kit.messages_server import MessagesServer, Script, call

KEY = "sk-of-nobody-71c2"
NAME = "parcels"
SCHEMA = ModelSchema(
    columns=(
        Column(name="weight", kind="number"),
        Column(name="depot", kind="category"),
        Column(name="email", kind="category", role="key", tags=("pii",)),
    )
)
DIAGNOSIS = Diagnosis(
    causes=(
        Cause(cause="concept_change", probability=0.8, evidence={"loss_z": 5.123456789, "loss_change": 0.2}),
        Cause(cause="false_alarm", probability=0.2),
    ),
    moved=({"feature": "weight", "statistic": 0.12, "effect": 0.3}, {"feature": "depot", "statistic": 0.4, "effect": 0.1}),
    slices=({"slice": "depot=north", "rows": 900, "loss": 0.7, "excess": 0.2},),
    label_state=LabelState(coverage=0.9, delay_ms_p50=1.0, delay_ms_p90=2.0, rows=9_000),
    performance=Performance(reference=0.75, recent=0.68, low=0.66, high=0.70),
    headroom=Headroom(value=0.03, low=0.01, high=0.05, rows=9_000),
)


class StillClock:
    """A wall clock that moves when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> dt.datetime:
        return dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class Asking(NamedTuple):
    """A planner, whom it asks and where it keeps account; `pauses` are the seconds that it would have waited."""

    planner: ClaudePlanner
    server: MessagesServer
    ledger: Ledger
    situation: Situation
    clock: StillClock
    pauses: list[float]

    @property
    def outcomes(self) -> list[str]:
        return [one.outcome for one in self.ledger.calls_of(self.situation.incident)]


def situation_of(incident: str = "", **changes: Any) -> Situation:
    """A loss that grew, with labels, room for a promotion and an incident before."""
    lesson = Lesson(
        cause="concept_change", action="retrain", outcome="refused", text="t", numbers={"sealed_difference": -0.01},
        time_ms=START_MS - 86_400_000, incident="inc-before",
    )  # fmt: skip
    plain = Situation(
        now_ms=START_MS, incident_cause="loss_drift", incident=incident, diagnosis=DIAGNOSIS, promotions=0, may_promote=True,
        lessons=(lesson,), waits_left=2, can_roll_back=True, evidence=("event-1",),
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changes)


def plan(action: str = "retrain", **changes: Any) -> dict[str, Any]:
    """What Claude fills in."""
    utilities = {"no_action": 0.0, action: 1.5} if action != "no_action" else {"no_action": 0.0}
    return {
        "action": action,
        "reasons": [{"text": "quality fell by 7 points", "evidence": ["event_001"]}],
        "utilities": [{"action": name, "points": points} for name, points in utilities.items()],
        "excluded": [],
    } | changes


def submitted(given: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """The call that submits a plan."""
    return call("submit_plan", **(plan(**changes) if given is None else given))


@asynccontextmanager
async def asking(
    folder: Path, script: Script = (), changes: dict[str, Any] | None = None, **config: Any
) -> AsyncIterator[Asking]:
    """Make a planner whose pauses take no time.

    Args:
        folder: of the ledger and the key.
        script: what the server answers.
        changes: of the situation.
        config: settings that matter to the test.
    """
    (folder / "key").write_text(f"{KEY}\n")
    clock, pauses = StillClock(), list[float]()

    async def note(seconds: float) -> None:
        pauses.append(seconds)
        clock.seconds += seconds

    async with MessagesServer(script) as server:
        with open_ledger(folder / "ledger.sqlite", wall=clock) as ledger:
            incident = opened(ledger, "event-1", START_MS)
            settings = ClaudeConfig(**{"url": server.url, "key_file": folder / "key", "deadline": "10s", "stall": "5s"} | config)
            planner = ClaudePlanner(settings, Office(NAME, ledger, SCHEMA, clock), sleep=note)
            yield Asking(planner, server, ledger, situation_of(incident.id, **(changes or {})), clock, pauses)
