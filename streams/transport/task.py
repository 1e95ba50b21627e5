"""The tasks of a stage: the runner keeps going those that are this process's, each at its own pace, and reports their lag."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.contracts.errors import TransportError, cause_of
from streams.transport.admin import topic_partitions
from streams.transport.closing import close_consumer
from streams.transport.commits import LIBRARY_ERRORS, Committer
from streams.transport.crew import STOP_SECONDS, Crew
from streams.transport.inputs import Inputs
from streams.transport.membership import Assigned, Membership, Worker
from streams.transport.processor import Delivery, Processor, TaskCounters, TaskSpec
from streams.transport.work import OnIdle, Task

__all__ = ["STOP_SECONDS", "Assigned", "Delivery", "OnIdle", "Processor", "StageRunner", "Task", "TaskCounters", "TaskSpec"]

log = structlog.get_logger()

REPORT_SECONDS = 1.0


class StageRunner:
    """All tasks of one stage of one model: in this process, or shared with the stage's other workers.

    Args:
        name: the stage's name.
        model: the model's name.
        bootstrap: `host:port` of the broker.
        tasks: by number, which is also the partition of the state topic.
        state_topic: where state records go; it exists and has a partition for each task.
        delivery: `exactly_once` writes outputs and state in one transaction, `at_least_once` outputs before state.
        max_records: most records that one input adds to a micro-batch.
        idle_ms: how long a task waits for records before `on_idle` is asked about it.
        on_idle: gives, for a task's number, what to write when nothing comes (a watermark, for instance), or None.
        worker: this worker among those that share the tasks; None: all tasks are this process's.
        is_whole: whether the tasks belong together, so that one worker has all of them.
        on_share: called with the numbers of this process's tasks, before those that are new begin and after the others ended.

    Attributes:
        counters: what each task did in this process, by number, for telemetry.
    """

    def __init__(
        self,
        *,
        name: str,
        model: str,
        bootstrap: str,
        tasks: Mapping[int, TaskSpec],
        state_topic: str,
        delivery: Delivery = "exactly_once",
        max_records: int = 4_096,
        idle_ms: int = 200,
        on_idle: OnIdle | None = None,
        worker: Worker | None = None,
        is_whole: bool = False,
        on_share: Callable[[Assigned], None] = lambda numbers: None,
    ) -> None:
        self._group = f"driftwake.{model}.{name}"
        self._bootstrap = bootstrap
        self._specs = dict(tasks)
        self._state_topic = state_topic
        self._delivery: Delivery = delivery
        self._max_records = max_records
        self._idle_ms = idle_ms
        self._on_idle = on_idle
        self._is_whole = is_whole
        self._on_share = on_share
        self._membership = (
            Membership(bootstrap, group=f"{self._group}.workers", topic=state_topic, worker=worker) if worker else None
        )
        self._shares: asyncio.Queue[Assigned] = asyncio.Queue()
        self._crew: Crew | None = None
        self.counters: dict[int, TaskCounters] = {number: TaskCounters() for number in tasks}

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set, then finish the batches in flight (at most for `STOP_SECONDS`).

        Raises:
            FencedError: another process took over one of the tasks, though they aren't shared; the others were stopped too.
            TransportError: the broker refuses what the stage wants, for instance a topic that isn't there.
        """
        for topic, needed in _needed_partitions(self._specs, self._state_topic).items():
            if (found := await topic_partitions(self._bootstrap, topic)) < needed:
                raise TransportError(f"topic {topic} has {found} partitions, {self._group} needs {needed}")
        try:
            async with asyncio.TaskGroup() as group:
                crew = self._crew = Crew(group, self._make, self._group, is_shared=self._membership is not None)
                beside = [group.create_task(self._report(crew)), group.create_task(self._share(crew))]
                if self._membership is not None:
                    beside.append(group.create_task(self._membership.follow(self._shares.put_nowait)))
                else:
                    self._shares.put_nowait(frozenset(self._specs))
                await stopping.wait()
                # The membership goes last: nobody takes a task over while its last batch is finished.
                beside[1].cancel()
                await crew.become(())
                for one in beside:
                    one.cancel()
        except BaseExceptionGroup as errors:
            error = cause_of(errors)
            if isinstance(error, LIBRARY_ERRORS):
                raise TransportError(f"{self._group} at {self._bootstrap}: {error!r}") from errors
            raise error from errors

    def _make(self, number: int) -> Task:
        spec = self._specs[number]
        name = f"{self._group}.{number}"
        return Task(
            spec,
            name=name,
            inputs=Inputs(self._bootstrap, spec.inputs, name, self._max_records),
            committer=Committer(self._bootstrap, name, (self._state_topic, number), self._delivery),
            counters=self.counters[number],
            max_records=self._max_records,
            idle_ms=self._idle_ms,
            on_idle=self._on_idle,
        )

    async def _share(self, crew: Crew) -> None:
        """Follow what this worker is given, newest word first."""
        mine: Assigned = frozenset()
        while True:
            given = await self._shares.get()
            while not self._shares.empty():
                given = self._shares.get_nowait()
            wanted = frozenset(self._specs if 0 in given else ()) if self._is_whole else given & self._specs.keys()
            await crew.become(mine & wanted)
            for number in mine - wanted:
                self._specs[number].processor.restore(None)  # its memory is another worker's now
            self._on_share(wanted)
            await crew.become(wanted)
            mine = wanted

    async def _report(self, crew: Crew) -> None:
        """Commit the positions as group offsets, for lag monitors only: nobody starts from them."""
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            if places := _places(crew):
                try:
                    await self._report_on(crew, places)
                except LIBRARY_ERRORS as error:
                    log.debug("LagNotReported", group=self._group, error=repr(error))

    async def _report_on(self, crew: Crew, places: list[TopicPartition]) -> None:
        """Go on until the tasks are others."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            client_id=f"{self._group}.lag",
            group_id=self._group,
            enable_auto_commit=False,
            isolation_level="read_committed",
        )
        consumer.assign(places)
        consumer.pause(*places)
        try:
            await consumer.start()
            while _places(crew) == places:
                await self._report_once(consumer, dict(crew.tasks))
                await asyncio.sleep(REPORT_SECONDS)
        finally:
            await close_consumer(consumer)

    async def _report_once(self, consumer: AIOKafkaConsumer, tasks: Mapping[int, Task]) -> None:
        positions = {number: dict(task.positions) for number, task in tasks.items()}
        merged = {TopicPartition(*place): offset for group in positions.values() for place, offset in group.items()}
        if not merged:
            return
        ends = await consumer.end_offsets(list(merged))
        await _finished(consumer.commit(merged))
        for number, counters in self.counters.items():
            lags = (ends[TopicPartition(*place)] - offset for place, offset in positions.get(number, {}).items())
            counters.lag = sum(max(lag, 0) for lag in lags)


def _places(crew: Crew) -> list[TopicPartition]:
    return [TopicPartition(*place) for _, task in crew.tasks for place in task.places]


async def _finished(request: Coroutine[Any, Any, None]) -> None:
    """Wait for a request also when cancelled: closing the connection under it leaves an exception that nobody takes."""
    answer = asyncio.gather(request, return_exceptions=True)
    try:
        (error,) = await asyncio.shield(answer)
    except asyncio.CancelledError:
        await asyncio.wait([answer], timeout=1.0)
        raise
    if error is not None:
        raise error


def _needed_partitions(tasks: Mapping[int, TaskSpec], state_topic: str) -> dict[str, int]:
    needed = {state_topic: max(tasks, default=0) + 1}
    for spec in tasks.values():
        for topic, partition in spec.inputs:
            needed[topic] = max(needed.get(topic, 0), partition + 1)
    return needed
