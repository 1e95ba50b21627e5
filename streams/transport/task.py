"""The tasks of a stage: the runner keeps them going, each at its own pace, and reports their lag."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.contracts.errors import TransportError
from streams.transport.admin import topic_partitions
from streams.transport.closing import close_consumer
from streams.transport.commits import LIBRARY_ERRORS, Committer
from streams.transport.inputs import Inputs
from streams.transport.processor import Delivery, Processor, TaskCounters, TaskSpec
from streams.transport.work import OnIdle, Task

__all__ = ["Delivery", "OnIdle", "Processor", "StageRunner", "Task", "TaskCounters", "TaskSpec"]

log = structlog.get_logger()

STOP_SECONDS = 10.0
REPORT_SECONDS = 1.0


class StageRunner:
    """All tasks of one stage of one model in this process.

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

    Attributes:
        counters: what each task did, by number, for telemetry.
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
    ) -> None:
        self._group = f"driftwake.{model}.{name}"
        self._bootstrap = bootstrap
        self._needed = _needed_partitions(tasks, state_topic)
        self._tasks: dict[int, Task] = {}
        for number, spec in tasks.items():
            task_name = f"{self._group}.{number}"
            self._tasks[number] = Task(
                spec,
                name=task_name,
                inputs=Inputs(bootstrap, spec.inputs, task_name, max_records),
                committer=Committer(bootstrap, task_name, (state_topic, number), delivery),
                max_records=max_records,
                idle_ms=idle_ms,
                on_idle=on_idle,
            )
        self.counters: dict[int, TaskCounters] = {number: task.counters for number, task in self._tasks.items()}

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set, then finish the batches in flight (at most for `STOP_SECONDS`).

        Raises:
            FencedError: another process took over one of the tasks; the others were stopped too.
            TransportError: the broker refuses what the stage wants, for instance a topic that isn't there.
        """
        for topic, needed in self._needed.items():
            if (found := await topic_partitions(self._bootstrap, topic)) < needed:
                raise TransportError(f"topic {topic} has {found} partitions, {self._group} needs {needed}")
        try:
            async with asyncio.TaskGroup() as group:
                loops = [group.create_task(task.run(stopping)) for task in self._tasks.values()]
                report = group.create_task(self._report())
                await self._until_stopped(stopping, loops)
                report.cancel()
        except BaseExceptionGroup as errors:
            error = _first(errors)
            if isinstance(error, LIBRARY_ERRORS):
                raise TransportError(f"{self._group} at {self._bootstrap}: {error!r}") from errors
            raise error from errors

    async def _until_stopped(self, stopping: asyncio.Event, loops: list[asyncio.Task[None]]) -> None:
        await stopping.wait()
        for task in self._tasks.values():
            task.wake()
        _, late = await asyncio.wait(loops, timeout=STOP_SECONDS)
        for loop in late:
            # What it has in hand is not committed; whoever comes next reads it again.
            log.warning("TaskStoppedLate", group=self._group, after_seconds=STOP_SECONDS)
            loop.cancel()

    async def _report(self) -> None:
        """Commit the positions as group offsets, for lag monitors only: nobody starts from them."""
        places = [TopicPartition(*place) for task in self._tasks.values() for place in task.places]
        while True:
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
                while True:
                    await asyncio.sleep(REPORT_SECONDS)
                    await self._report_once(consumer)
            except LIBRARY_ERRORS as error:
                log.debug("LagNotReported", group=self._group, error=repr(error))
                await asyncio.sleep(REPORT_SECONDS)
            finally:
                await close_consumer(consumer)

    async def _report_once(self, consumer: AIOKafkaConsumer) -> None:
        positions = {number: dict(task.positions) for number, task in self._tasks.items()}
        merged = {TopicPartition(*place): offset for group in positions.values() for place, offset in group.items()}
        if not merged:
            return
        ends = await consumer.end_offsets(list(merged))
        await _finished(consumer.commit(merged))
        for number, own in positions.items():
            lags = (ends[TopicPartition(*place)] - offset for place, offset in own.items())
            self.counters[number].lag = sum(max(lag, 0) for lag in lags)


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


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
