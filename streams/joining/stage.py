"""The joining stage as a service: predictions and labels in, outcomes out."""

from __future__ import annotations

import asyncio
from collections import Counter

from mode import Service

from streams.joining.config import JoinedModel, JoiningConfig
from streams.joining.match import Matching, Sides
from streams.joining.memory import Rules
from streams.joining.progress import LabelProgress
from streams.joining.rekey import RekeyLabels, RekeyPredictions, Target
from streams.runtime.clock import WallClock
from streams.runtime.telemetry import Telemetry
from streams.transport.membership import Worker
from streams.transport.records import Result
from streams.transport.task import StageRunner, TaskSpec

_REPORT_SECONDS = 1.0
_RESULTS = ("joined", "corrected", "repeated", "unknown", "late", "never")


class JoiningStage(Service):
    """Joins the predictions of one model with their labels, on all partitions.

    Args:
        model: what is joined; its topics exist.
        bootstrap: `host:port` of the broker.
        clock: real time, which says when a partition of labels is idle.
        telemetry: counts.
        config: the stage's own settings.
        worker: this worker among those that share the tasks; None: all are this process's.
    """

    def __init__(
        self,
        model: JoinedModel,
        *,
        bootstrap: str,
        clock: WallClock,
        telemetry: Telemetry,
        config: JoiningConfig | None = None,
        worker: Worker | None = None,
    ) -> None:
        super().__init__()
        self._model = model
        self._telemetry = telemetry
        self._config = config or JoiningConfig()
        self._clock = clock
        self._stopping = asyncio.Event()
        self._rekeying = asyncio.Event()
        self._matching = asyncio.Event()
        self._said: Counter[str] | None = None
        self._progress = self._label_progress()
        self._labels = self._label_tasks()
        self._matchers = self._match_tasks()
        self.rekey = self._rekey_runner(bootstrap, worker)
        self.match = self._match_runner(bootstrap, worker)

    async def on_stop(self) -> None:
        """Finish the micro-batches in flight."""
        self._stopping.set()
        await self._rekeying.wait()
        await self._matching.wait()

    @property
    def counts(self) -> Counter[str]:
        """What became of predictions and labels, over all partitions, since the beginning of the topics."""
        return sum((task.memory.counts for task in self._matchers.values()), Counter())

    @Service.task
    async def _rekey(self) -> None:
        try:
            await self.rekey.run(self._stopping)
        finally:
            self._rekeying.set()

    @Service.task
    async def _match(self) -> None:
        try:
            await self.match.run(self._stopping)
        finally:
            self._matching.set()

    @Service.timer(_REPORT_SECONDS)
    async def _report(self) -> None:
        counts = self.counts
        counts["rejected"] = sum(task.rejected for task in self._labels.values())
        before = self._said if self._said is not None else counts
        for result in (*_RESULTS, "rejected"):
            # A task that was assigned again may have gone back to what it had committed.
            if (more := counts[result] - before[result]) > 0:
                self._telemetry.count("driftwake_joining_labels_total", more, model=self._model.name, result=result)
        self._said = counts if self._said is None else self._said | counts
        waiting = sum(task.memory.waiting for task in self._matchers.values())
        self._telemetry.set("driftwake_joining_waiting_records", waiting, model=self._model.name)
        if ended := counts["joined"] + counts["unlabelled"] + counts["never"]:
            self._telemetry.set("driftwake_joining_coverage_ratio", counts["joined"] / ended, model=self._model.name)

    def _label_progress(self) -> LabelProgress | None:
        model = self._model
        if model.replay:
            return None
        lateness_ms, idle_after_ms = model.lateness_ms, self._config.idle_after_ms
        return LabelProgress(model.label_partitions, model.partitions, lateness_ms=lateness_ms, idle_after_ms=idle_after_ms)

    def _label_tasks(self) -> dict[int, RekeyLabels]:
        model = self._model
        target = Target(model.join_labels, model.partitions)
        return {
            number: RekeyLabels(
                number, model=model.name, task=model.task, target=target, progress=self._progress, clock=self._clock
            )
            for number in range(model.label_partitions)
        }

    def _match_tasks(self) -> dict[int, Matching]:
        model, config = self._model, self._config
        sides = Sides(model.join_predictions, model.join_labels, model.outcomes, model.partitions, model.label_partitions)
        rules = Rules(
            horizon_ms=model.horizon_ms,
            lead_ms=config.label_lead.ms,
            most_waiting=config.most_waiting,
            most_bytes=config.most_bytes,
            most_early=config.most_early,
            most_revisions=config.most_revisions,
        )
        return {
            number: Matching(number, model=model.name, task=model.task, sides=sides, rules=rules)
            for number in range(model.partitions)
        }

    def _rekey_runner(self, bootstrap: str, worker: Worker | None) -> StageRunner:
        """Predictions are the tasks 0 to P - 1, labels the tasks P to P + L - 1.

        One worker has them all: where no labels come, event time goes by that of the predictions.
        """
        model = self._model
        target = Target(model.join_predictions, model.partitions)
        tasks = {}
        for number in range(model.partitions):
            processor = RekeyPredictions(number, model=model.name, target=target, progress=self._progress)
            tasks[number] = TaskSpec(number, ((model.predictions, number),), processor)
        for number, labels in self._labels.items():
            task = model.partitions + number
            tasks[task] = TaskSpec(task, ((model.labels, number),), labels)
        return StageRunner(
            name="rekey",
            model=model.name,
            bootstrap=bootstrap,
            tasks=tasks,
            state_topic=model.rekey_state,
            delivery=model.delivery,
            max_records=self._config.max_records,
            on_idle=self._idle,
            worker=worker,
            is_whole=True,
        )

    def _match_runner(self, bootstrap: str, worker: Worker | None) -> StageRunner:
        model = self._model
        tasks = {
            number: TaskSpec(number, ((model.join_predictions, number), (model.join_labels, number)), processor)
            for number, processor in self._matchers.items()
        }
        return StageRunner(
            name="joining",
            model=model.name,
            bootstrap=bootstrap,
            tasks=tasks,
            state_topic=model.match_state,
            delivery=model.delivery,
            max_records=self._config.max_records,
            worker=worker,
        )

    async def _idle(self, task: int) -> Result | None:
        labels = self._labels.get(task - self._model.partitions)
        return labels.idle() if labels is not None and self._progress is not None else None
