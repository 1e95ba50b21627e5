"""Everything a report shows, as plain data. Filled by whoever ran the replay; written beside the page as JSON.

Times are epoch milliseconds. The first slot is the one that driftwake looks after; all others are there to compare.
A number that could not be measured is None; numbers that are not finite survive the way through JSON.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np

from streams.contracts.bundle import Interval
from streams.contracts.events import Evidence


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """Who served the same stream. `bar`: by how much the first slot's mean quality must be above this slot's (None: no bar)."""

    name: str
    who: str
    bar: float | None = None


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """Quality of each slot over one month or week of event time; None where it could not be measured."""

    label: str
    start_ms: int
    rows: int
    positives: int
    quality: dict[str, Interval | None]


class Swap(msgspec.Struct, frozen=True, kw_only=True):
    """A slot began to serve another bundle. `features`: the proposed features it holds, in words."""

    time_ms: int
    generation: int
    digest: str
    slot: str
    reason: str
    features: tuple[str, ...] = ()


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """An event that belongs to an incident: what a monitor stated and why."""

    time_ms: int
    kind: str
    detector: str
    transition: str
    evidence: tuple[Evidence, ...] = ()


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One explanation that was weighed, with its probability and the evidence for it in words."""

    cause: str
    probability: float
    evidence: str


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """One action that was open, how useful it looked (a higher number is better) and why it was taken or not."""

    action: str
    utility: float
    chosen: bool
    reason: str


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a plan as it ended. `seconds` is wall time."""

    skill: str
    state: str
    seconds: float | None
    summary: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What was carried out."""

    digest: str
    planner: str
    steps: tuple[Step, ...]


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """A claim that the challenger had to prove. `verdict` is pass, fail or inconclusive."""

    claim: str
    verdict: str
    reason: str
    numbers: dict[str, float] = {}


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Champion and challenger on the same rows. `difference` is challenger minus champion, above zero is better."""

    metric: str
    champion: float
    challenger: float
    difference: Interval
    rows: int


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A feature that was proposed, and what it gained in the search (quality with it minus without)."""

    text: str
    gain: Interval | None
    accepted: bool
    reason: str


class Deployed(msgspec.Struct, frozen=True, kw_only=True):
    """What was written to the deployments topic for an incident. `what` is for example shadow, promoted, rolled back."""

    time_ms: int
    what: str
    generation: int
    digest: str
    reason: str


class IncidentReport(msgspec.Struct, frozen=True, kw_only=True):
    """One incident from its first event to its lesson. `closed_ms` is None while it is open; empty parts are left out."""

    id: str
    state: str
    opened_ms: int
    closed_ms: int | None
    title: str
    events: tuple[Observation, ...] = ()
    diagnosis: tuple[Cause, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    plan: Plan | None = None
    features: tuple[Candidate, ...] = ()
    comparison: Comparison | None = None
    live_comparison: Comparison | None = None
    gates: tuple[Gate, ...] = ()
    verdict: str = ""
    deployments: tuple[Deployed, ...] = ()
    lesson: str = ""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """A bar that the run had to reach. `held` is None when it could not be measured, which never counts as held."""

    name: str
    bar: str
    measured: str
    held: bool | None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each source record, counted from the topics themselves."""

    requests: int
    predictions: int
    quarantined: int
    missing: int
    doubled: int

    @property
    def is_exact(self) -> bool:
        """Whether each record has exactly one answer."""
        return self.missing == 0 and self.doubled == 0

    @property
    def is_complete(self) -> bool:
        """Each request has exactly one prediction or one quarantine entry."""
        return self.missing == 0 and self.doubled == 0 and self.requests == self.predictions + self.quarantined


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """What the run took, all processes together."""

    peak_memory_bytes: int
    processes: int


class ReplayReport(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run. `refused` is the id of the incident whose challenger was bad on purpose; `metric` names the quality."""

    title: str
    version: str
    data: str
    metric: str
    start_ms: int
    end_ms: int
    rows: int
    wall_seconds: float
    slots: tuple[Slot, ...]
    months: tuple[Period, ...] = ()
    weeks: tuple[Period, ...] = ()
    swaps: tuple[Swap, ...] = ()
    incidents: tuple[IncidentReport, ...] = ()
    refused: str | None = None
    checks: tuple[Check, ...] = ()
    delivery: Delivery | None = None
    resources: Resources | None = None
    lessons: tuple[str, ...] = ()

    @property
    def speed(self) -> float:
        """Virtual time over wall time; 0 when no wall time was measured."""
        return (self.end_ms - self.start_ms) / 1_000 / self.wall_seconds if self.wall_seconds > 0 else 0.0


def encode_report(report: ReplayReport) -> bytes:
    """Write the report as JSON; numbers that are not finite become the texts nan, inf and -inf."""
    return msgspec.json.format(msgspec.json.encode(_spelled(msgspec.to_builtins(report, enc_hook=_builtin))), indent=1)


def decode_report(data: bytes) -> ReplayReport:
    """Read what `encode_report` wrote.

    Raises:
        msgspec.MsgspecError: it isn't such a report.
    """
    return msgspec.json.decode(data, type=ReplayReport, strict=False)


def _builtin(value: Any) -> Any:
    """Numbers that come out of numpy pass as themselves."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a report holds numbers and texts, not {type(value).__name__}")


def _spelled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _spelled(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_spelled(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
