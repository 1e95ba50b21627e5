"""The observing stage as a service: another server's requests and answers in, answered requests out."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

from mode import Service

from streams.dialects.base import Limits
from streams.observing.config import ObservedModel, ObservingConfig
from streams.observing.note import Noting, Targets
from streams.observing.pair import Pairing
from streams.observing.reading import Read, Reader
from streams.runtime.plugins import load_kind
from streams.runtime.telemetry import Telemetry
from streams.transport.membership import Worker
from streams.transport.task import StageRunner, TaskSpec

_REPORT_SECONDS = 1.0
_RESULTS = ("paired", "repeated", "unanswered", "unasked", "shed")


class ObservingStage(Service):
    """Follows one model that is served elsewhere, on all partitions or on this worker's share of them.

    Args:
        model: what is observed; its topics exist.
        bootstrap: `host:port` of the broker.
        telemetry: counts.
        config: the stage's own settings.
        worker: this worker among those that share the tasks; None: all are this process's.
    """

    def __init__(
        self,
        model: ObservedModel,
        *,
        bootstrap: str,
        telemetry: Telemetry,
        config: ObservingConfig,
        worker: Worker | None = None,
    ) -> None:
        super().__init__()
        self._model = model
        self._telemetry = telemetry
        self._config = config
        self._stopping = asyncio.Event()
        self._said: Counter[str] | None = None
        self._noting = self._noting_tasks()
        self._pairing = self._pairing_tasks()
        self.note = self._note_runner(bootstrap, worker)
        self.pair = self._pair_runner(bootstrap, worker)

    async def on_stop(self) -> None:
        """Let the batches in flight finish."""
        self._stopping.set()

    @property
    def counts(self) -> Counter[str]:
        """What became of requests and answers, since the beginning of the topics."""
        return sum((task.pairs.counts for task in self._pairing.values()), Counter())

    @Service.task
    async def _note(self) -> None:
        await self.note.run(self._stopping)

    @Service.task
    async def _pair(self) -> None:
        if self._pairing:
            await self.pair.run(self._stopping)

    @Service.timer(_REPORT_SECONDS)
    async def _report(self) -> None:
        counts = self.counts
        before = self._said if self._said is not None else counts
        for result in _RESULTS:
            # A task that was assigned again may have gone back to what it had committed.
            if (more := counts[result] - before[result]) > 0:
                self._telemetry.count("driftwake_observing_halves_total", more, model=self._model.name, result=result)
        self._said = before | counts
        for task in self._noting.values():
            while task.counts:
                reason, refusals = task.counts.popitem()
                self._telemetry.count("driftwake_observing_rejected_total", refusals, model=self._model.name, reason=reason)
        waiting = sum(len(task.pairs) for task in self._pairing.values())
        self._telemetry.set("driftwake_observing_waiting_records", waiting, model=self._model.name)

    def _noting_tasks(self) -> dict[int, Noting]:
        """Requests are the tasks 0 to P - 1; answers, where they have a topic of their own, the tasks P to P + R - 1."""
        model = self._model
        targets = Targets(model.paired, model.answered, model.partitions)
        return {
            number: Noting(model=model.name, read=read, targets=targets, protection=model.protection)
            for number, read in enumerate(self._reads())
        }

    def _reads(self) -> Iterator[Read]:
        model = self._model
        requests = load_kind("streams.dialects", model.dialect).open_dialect(model.schema, Limits(), model.dialect_options)
        answers = load_kind("streams.dialects", model.answer_dialect).open_answers(Limits(), model.answer_options)
        reader = Reader(requests, answers, model.schema.task, model.ahead_ms, protection=model.protection)
        if model.responses is None:
            yield from [reader.both] * model.partitions
        elif model.responses == model.requests:
            yield from [reader.either] * model.partitions
        else:
            yield from [reader.request] * model.partitions
            yield from [reader.answer] * model.response_partitions

    def _pairing_tasks(self) -> dict[int, Pairing]:
        model, config = self._model, self._config
        numbers = range(model.partitions) if model.responses is not None else range(0)
        return {
            number: Pairing(
                number, paired=model.paired, target=model.answered, patience_ms=config.patience.ms, most=config.most_waiting
            )
            for number in numbers
        }

    def _note_runner(self, bootstrap: str, worker: Worker | None) -> StageRunner:
        model = self._model
        places = [(model.requests, number) for number in range(model.partitions)]
        if model.responses not in {None, model.requests}:
            places += [(str(model.responses), number) for number in range(model.response_partitions)]
        return StageRunner(
            name="noting",
            model=model.name,
            bootstrap=bootstrap,
            tasks={number: TaskSpec(number, (place,), self._noting[number]) for number, place in enumerate(places)},
            state_topic=model.note_state,
            delivery=model.delivery,
            worker=worker,
        )

    def _pair_runner(self, bootstrap: str, worker: Worker | None) -> StageRunner:
        model = self._model
        return StageRunner(
            name="observing",
            model=model.name,
            bootstrap=bootstrap,
            tasks={number: TaskSpec(number, ((model.paired, number),), task) for number, task in self._pairing.items()},
            state_topic=model.pair_state,
            delivery=model.delivery,
            worker=worker,
        )
