"""The tasks of a stage that this process does at the moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator

import structlog

from streams.contracts.errors import FencedError, cause_of
from streams.transport.work import Task

log = structlog.get_logger()

STOP_SECONDS = 10.0
# Who was fenced and still thinks that a task is its own begins again after so long: by then its group has told it otherwise.
FENCED_SECONDS = 2.0


class Crew:
    """Keeps the loops of some tasks going.

    Args:
        group: in which the loops run.
        make: makes a task anew.
        name: of the stage, for the log.
        is_shared: whether other processes may take tasks over; else being fenced is an error.
    """

    def __init__(self, group: asyncio.TaskGroup, make: Callable[[int], Task], name: str, *, is_shared: bool) -> None:
        self._group = group
        self._make = make
        self._name = name
        self._is_shared = is_shared
        self._stopping: dict[int, asyncio.Event] = {}
        self._loops: dict[int, asyncio.Task[None]] = {}
        self._tasks: dict[int, Task] = {}

    @property
    def tasks(self) -> Iterator[tuple[int, Task]]:
        """The tasks at work, by number."""
        return iter(self._tasks.items())

    async def become(self, wanted: Collection[int]) -> None:
        """End the tasks that aren't wanted, each after the batch it is at; begin those that are."""
        await self._end([number for number in self._loops if number not in wanted])
        for number in sorted(wanted):
            if number not in self._loops:
                stopping = self._stopping[number] = asyncio.Event()
                self._loops[number] = self._group.create_task(self._run(number, stopping))

    async def _end(self, numbers: Collection[int]) -> None:
        loops = [self._loops.pop(number) for number in numbers]
        for number in numbers:
            self._stopping.pop(number).set()
            if number in self._tasks:
                self._tasks[number].wake()
        if not loops:
            return
        _, late = await asyncio.wait(loops, timeout=STOP_SECONDS)
        for loop in late:
            # What it has in hand is not committed; whoever comes next reads it again.
            log.warning("TaskStoppedLate", group=self._name, after_seconds=STOP_SECONDS)
            loop.cancel()

    async def _run(self, number: int, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            task = self._tasks[number] = self._make(number)
            try:
                await task.run(stopping)
            except (FencedError, BaseExceptionGroup) as error:
                if not self._is_shared or not isinstance(cause_of(error), FencedError):
                    raise
                log.warning("TaskTakenOver", group=self._name, task=number)
                await _set_within(stopping, FENCED_SECONDS)
            finally:
                self._tasks.pop(number, None)


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
