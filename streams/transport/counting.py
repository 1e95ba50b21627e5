"""What a stage's tasks did, as metrics."""

from __future__ import annotations

from collections.abc import Mapping

from streams.runtime.telemetry import Telemetry
from streams.transport.processor import TaskCounters


class TaskMetrics:
    """Carries the counters of one stage's tasks over to the telemetry. `refresh` is called about once a second.

    Args:
        telemetry: where it is counted.
        stage: the runner's name.
        model: the model's name.
        counters: the runner's counters.
    """

    def __init__(self, telemetry: Telemetry, stage: str, model: str, counters: Mapping[int, TaskCounters]) -> None:
        self._telemetry = telemetry
        self._labels = {"stage": stage, "model": model}
        self._counters = counters
        self._told = {"committed": 0, "aborted": 0}

    def refresh(self) -> None:
        """Count what came since the last call, and set the lag."""
        tasks = self._counters.values()
        now = {"committed": sum(task.transactions for task in tasks), "aborted": sum(task.aborted for task in tasks)}
        for result, total in now.items():
            more = total - self._told[result]
            self._telemetry.count("driftwake_stage_transactions_total", more, **self._labels, result=result)
        self._told = now
        self._telemetry.set("driftwake_stage_lag_records", sum(task.lag for task in tasks), **self._labels)
