"""The daemon's metrics, counted from the audit: what is on the record is counted, once, and nothing else."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence

from daemon.ledger.audit import AuditRecord
from daemon.ledger.ledger import Ledger
from streams.runtime.telemetry import Telemetry

_AT_ONCE = 1_000
_MOST_BEGUN = 1_000
_RESULTS = {"step.done": "done", "step.failed": "failed"}


class DaemonMetrics:
    """Follows the ledger. Counters begin at 0 with each start of the process, as Prometheus expects.

    Args:
        ledger: what is followed.
        telemetry: where it is counted.
        models: names of the configured models.
    """

    def __init__(self, ledger: Ledger, telemetry: Telemetry, models: Sequence[str]) -> None:
        self._ledger = ledger
        self._telemetry = telemetry
        self._models = tuple(models)
        self._read = ledger.head().number
        self._begun: dict[str, str] = {}
        self._states: dict[str, set[str]] = {model: set() for model in self._models}

    def refresh(self) -> None:
        """Count what was recorded since the last call, and set the gauges. Called after each watermark."""
        while records := self._ledger.trail(after=self._read, limit=_AT_ONCE):
            for record in records:
                self._count(record)
            self._read = records[-1].number
        for model in self._models:
            self._set_gauges(model)

    def _count(self, record: AuditRecord) -> None:
        self._telemetry.count("driftwake_daemon_audit_records_total")
        if record.kind == "incident.moved":
            self._count_move(record)
        elif record.kind == "step.reserved":
            self._begin(record)
        elif record.kind in _RESULTS:
            self._count_step(record)

    def _count_move(self, record: AuditRecord) -> None:
        state = str(record.data.get("to", ""))
        self._telemetry.count("driftwake_daemon_moves_total", model=record.model, state=state)
        if state == "probation" and record.data.get("from") != state:
            self._telemetry.count("driftwake_daemon_promotions_total", model=record.model)
        elif state == "rolled_back":
            self._telemetry.count("driftwake_daemon_rollbacks_total", model=record.model)
        for verdict in _verdicts(record):
            self._telemetry.count("driftwake_daemon_verdicts_total", model=record.model, verdict=verdict)

    def _begin(self, record: AuditRecord) -> None:
        while len(self._begun) >= _MOST_BEGUN:
            self._begun.pop(next(iter(self._begun)))
        self._begun[str(record.data.get("step"))] = record.wall

    def _count_step(self, record: AuditRecord) -> None:
        skill = str(record.data.get("skill", ""))
        self._telemetry.count("driftwake_daemon_steps_total", model=record.model, skill=skill, result=_RESULTS[record.kind])
        begun = self._begun.pop(str(record.data.get("step")), None)
        if begun is not None:
            took = dt.datetime.fromisoformat(record.wall) - dt.datetime.fromisoformat(begun)
            self._telemetry.observe("driftwake_daemon_step_seconds", max(0.0, took.total_seconds()), skill=skill)

    def _set_gauges(self, model: str) -> None:
        states: Counter[str] = Counter(incident.state for incident in self._ledger.incidents(model))
        for state in self._states[model] | set(states):
            self._telemetry.set("driftwake_daemon_incidents", states[state], model=model, state=state)
        self._states[model] |= set(states)
        self._telemetry.set("driftwake_daemon_frozen", float(self._ledger.frozen_by(model) is not None), model=model)


def _verdicts(record: AuditRecord) -> list[str]:
    """The outcomes of the verdicts that a move was made on."""
    details = record.data.get("details", {})
    found = [details[phase] for phase in ("sealed", "shadow", "probation", "shadowing") if isinstance(details.get(phase), dict)]
    return [str(verdict.get("outcome", "")) for verdict in found]
