"""A made-up replay to judge: twenty days, a row an hour whose label is known a day later, three policies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from daemon.report.model import Alternative, Cause, Delivery, Deployed, Gate, IncidentReport
from streams.contracts.records import Deployment, Slot
from streams.contracts.schema import Column, ModelSchema
from tests.bench.closed_loop.data.base import DataSet, assembled, numbered
from tests.bench.closed_loop.latency import Latencies
from tests.bench.closed_loop.measured.case import Judged
from tests.bench.closed_loop.runner import Played
from tests.bench.closed_loop.scenario import Scenario
from tests.bench.closed_loop.served import Served, Shadows

HOUR_MS, DAY_MS, DAYS = 3_600_000, 86_400_000, 20
EPOCH_MS = 1_522_540_800_000
FIRST, SECOND, THIRD = "a" * 64, "b" * 64, "c" * 64
PLAN: dict[str, Any] = {
    "id": "made",
    "title": "made up",
    "data": "made",
    "champion": {"first_day": 0, "last_day": 3},
    "replay": {"first_day": 5, "last_day": 19},
    "bucket": "1h",
    "truth": {"onset_day": 10, "diagnosis": ["concept_change"], "actions": ["retrain"]},
    "score": {"first_day": 5, "last_day": 19},
}


def day(number: float) -> int:
    return EPOCH_MS + round(number * DAY_MS)


def data(**changes: Any) -> DataSet:
    """Two rows of each label in turn; the amount is the row's place."""
    count = DAYS * 24
    time_ms = EPOCH_MS + np.arange(count) * HOUR_MS
    schema = ModelSchema(columns=(Column(name="amount", kind="number"),))
    columns = {
        "id": numbered(count),
        "time_ms": time_ms,
        "amount": np.arange(count, dtype=float),
        "label": (np.arange(count) // 2 % 2).astype(float),
        "known_ms": (time_ms + DAY_MS).astype(float),
    }
    rows = assembled(columns, schema)
    made = DataSet("made", schema, rows, EPOCH_MS, (), (), HOUR_MS, "accuracy", "week")
    return made._replace(**changes)


def served(rows: pd.DataFrame, shadows: dict[str, np.ndarray] | None = None, **changes: Any) -> Served:
    """The rows from day 5 on: driftwake is always right, weekly never, never on days before 10; `shadows` by digest."""
    place = np.flatnonzero(rows["time_ms"].to_numpy() >= day(5))
    label, time_ms = rows["label"].to_numpy()[place], rows["time_ms"].to_numpy()[place]
    scores = {"driftwake": label, "never": np.where(time_ms < day(10), label, 1 - label), "weekly": 1 - label}
    made = [(np.flatnonzero(np.isfinite(score)), digest, score) for digest, score in (shadows or {}).items()]
    flat = Shadows(
        place=np.concatenate([at for at, _, _ in made]) if made else np.empty(0, np.int64),
        name=np.concatenate([np.full(len(at), "challenger", object) for at, _, _ in made]) if made else np.empty(0, object),
        digest=np.concatenate([np.full(len(at), digest, object) for at, digest, _ in made]) if made else np.empty(0, object),
        score=np.concatenate([score[at] for at, _, score in made]) if made else np.empty(0),
    )
    found = Served(place, time_ms, label, scores, np.full(len(place), FIRST, object), np.zeros(len(place), bool), flat)
    return found._replace(**changes)


def deployment(generation: int, effective_ms: int, champion: str, **shadows: str) -> Deployment:
    slots = (Slot(name="champion", digest=champion), *(Slot(name=name, digest=digest) for name, digest in shadows.items()))
    return Deployment(model="bench", generation=generation, active=slots, effective_ms=effective_ms, reason="made")


def incident(opened_ms: int, cause: str = "", action: str = "", **changes: Any) -> IncidentReport:
    made: dict[str, Any] = {
        "id": f"incident-{opened_ms}",
        "state": "closed",
        "opened_ms": opened_ms,
        "closed_ms": opened_ms + DAY_MS,
        "title": "made",
        "diagnosis": (Cause(cause=cause, probability=0.9, evidence=""),) if cause else (),
        "alternatives": (Alternative(action=action, utility=1.0, chosen=True, reason=""),) if action else (),
    }
    return IncidentReport(**(made | changes))


def ruled(opened_ms: int, *deployed: Deployed, **changes: Any) -> IncidentReport:
    """An incident whose challenger came before the gate."""
    gate = Gate(claim="beats_champion", verdict="pass", reason="")
    return incident(opened_ms, "concept_change", "retrain", gates=(gate,), deployments=deployed, **changes)


def deployed(time_ms: int, what: str, generation: int, digest: str) -> Deployed:
    return Deployed(time_ms=time_ms, what=what, generation=generation, digest=digest, reason="")


def judged(scenario: dict[str, Any] | None = None, source: DataSet | None = None, **changes: Any) -> Judged:
    """A replay in which nothing was done; `scenario` and `changes` replace parts of the scenario and of what was played."""
    rows = data() if source is None else source
    played = Played(
        served=served(rows.rows),
        trained=(),
        retrained_ms=(),
        incidents=(),
        deployments=(deployment(1, 0, FIRST),),
        windows={},
        faults=(),
        delivery=Delivery(requests=360, predictions=360, quarantined=0, missing=0, doubled=0),
        latencies=Latencies(np.array([day(6), day(11)]), np.array([10.0, 30.0])),
        wall_seconds=2.0,
        peak_bytes=0,
        log_digest="f" * 64,
    )
    plan = Scenario.model_validate(PLAN | (scenario or {}))
    return Judged(plan, rows, played._replace(**changes), {"driftwake": "the loop", "never": "left alone", "weekly": "weekly"})
