"""Tasks: read, fold, commit, each exactly once; and the runner that keeps all tasks of a stage going."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from streams.transport.processor import Delivery, Processor, TaskCounters, TaskSpec
from streams.transport.records import Result

__all__ = ["Delivery", "Processor", "StageRunner", "TaskCounters", "TaskSpec"]

OnIdle = Callable[[int], Awaitable[Result | None]]


class StageRunner:
    """All tasks of one stage of one model in this process."""

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
        self.counters = {number: TaskCounters() for number in tasks}

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set, then finish the batches in flight.

        Raises:
            FencedError: another process took over one of the tasks.
            TransportError: the broker refuses what the stage wants, for instance a topic that isn't there.
        """
