"""One task at work: read, fold, commit, so that every input record counts exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import structlog

from streams.contracts.errors import TransportError
from streams.contracts.records import TaskState
from streams.transport.commits import LIBRARY_ERRORS, AmbiguousError, Committer
from streams.transport.inputs import Inputs, Place
from streams.transport.processor import TaskCounters, TaskSpec
from streams.transport.records import Output, Record, Result, by_topic, position_key

log = structlog.get_logger()

_T = TypeVar("_T")

OnIdle = Callable[[int], Awaitable[Result | None]]

# Positions that moved without any output are committed this often: more would only write, less would only read again.
QUIET_COMMIT_SECONDS = 1.0
# From this part of a full micro-batch on, records are processed while the ones before are committed.
_WORTH_PIPELINING = 8
REBUILD_POLL_SECONDS = 0.05
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0


class Task:
    """One task's loop. What it has committed is true; all else is folded again after a doubt.

    Args:
        spec: its number, inputs and processor.
        name: `driftwake.{model}.{stage}.{number}`, also its transactional id.
        inputs: its consumers.
        committer: its producer.
        counters: what it did, also under its former selves.
        max_records: most records of a micro-batch from one input.
        idle_ms: how long without records until `on_idle` is asked.
        on_idle: gives a result when nothing comes, or None.
    """

    def __init__(
        self,
        spec: TaskSpec,
        *,
        name: str,
        inputs: Inputs,
        committer: Committer,
        counters: TaskCounters,
        max_records: int,
        idle_ms: int,
        on_idle: OnIdle | None,
    ) -> None:
        self.counters = counters
        self.positions: dict[Place, int] = {}
        self._spec = spec
        self._name = name
        self._inputs = inputs
        self._committer = committer
        self._max_records = max_records
        self._idle_seconds = idle_ms / 1_000
        self._on_idle = on_idle
        self._goals: dict[Place, int] = {}
        self._left: list[Record] = []
        self._uncommitted = 0
        self._group = asyncio.TaskGroup()
        self._committing: asyncio.Task[AmbiguousError | None] | None = None
        self._latest = Result()
        self._is_moved = False
        self._committed_at = 0.0

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set; then finish what is in hand.

        Raises:
            FencedError: another process took over.
            TransportError: the inputs or the state can't be what they should.
        """
        try:
            await self._inputs.start()
            async with self._group:
                pumps = [self._group.create_task(self._inputs.pump(place)) for place in self._inputs.places]
                await self._work(stopping)
                for pump in pumps:
                    pump.cancel()
        finally:
            # Who is fenced cancels the other tasks, also one that is closing already.
            try:
                await self._committer.close()
            finally:
                await self._inputs.stop()

    @property
    def places(self) -> tuple[Place, ...]:
        """Its input partitions."""
        return self._inputs.places

    def wake(self) -> None:
        """Let it look at `stopping` now."""
        self._inputs.wake()

    async def _work(self, stopping: asyncio.Event) -> None:
        await self._assign(stopping)
        try:
            while not stopping.is_set():
                try:
                    await self._step()
                except AmbiguousError as error:
                    self.counters.aborted += 1
                    self.counters.recoveries += 1
                    log.warning("CommitDoubted", task=self._name, error=str(error))
                    await self._assign(stopping)
            await self._settle(is_last=True)
            await self._committed()
        except AmbiguousError as error:
            log.warning("CommitDoubted", task=self._name, error=str(error))
        except asyncio.CancelledError:
            if self._committing is not None:
                self._committing.cancel()
            raise
        finally:
            await self._end_commit()

    # Taking over: fence, read the last state, go back to where it says.

    async def _assign(self, stopping: asyncio.Event) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not stopping.is_set():
            try:
                state = await self._committer.open()
                bounds = await self._inputs.bounds()
            except (AmbiguousError, *LIBRARY_ERRORS) as error:
                log.warning("TaskNotAssigned", task=self._name, error=str(error), again_in_seconds=pause)
                try:
                    async with asyncio.timeout(pause):
                        await stopping.wait()
                except TimeoutError:
                    pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                self._begin(state, bounds)
                return

    def _begin(self, state: TaskState | None, bounds: Mapping[Place, tuple[int, int]]) -> None:
        positions = by_topic(state.positions) if state else {}
        wanted = by_topic(self._spec.processor.restore(state))
        self._latest = Result(rebuild_from=state.rebuild_from, details=state.details) if state else Result()
        self._left, self._is_moved, self._goals = [], False, {}
        self._committing, self._uncommitted = None, 0
        starts = {}
        for place in self._inputs.places:
            first, end = bounds[place]
            position = positions.get(place, first)
            if position > end:
                raise TransportError(_ahead(place, position, end))
            self.positions[place] = max(position, first)
            start = min(wanted.get(place, position), self.positions[place])
            starts[place] = max(start, first)
            if start < first:
                self.counters.truncated += 1
                log.warning("InputTruncated", task=self._name, topic=place[0], wanted=start, first=first)
            if starts[place] < self.positions[place]:
                self._goals[place] = self.positions[place]
        self._inputs.seek(starts)
        log.info("TaskAssigned", task=self._name, starts={position_key(*place): start for place, start in starts.items()})

    # One turn of the loop. What it made is committed in the background, while the next records are processed.

    async def _step(self) -> None:
        if self._goals:
            await self._rebuild()
        elif records := await self._next_batch():
            taken, result = await self._beside_commit(self._process(records, is_rebuilding=False))
            await self._accept(taken, result)
        elif not await self._beside_commit(self._inputs.wait(self._idle_seconds)):
            await self._idle()

    async def _next_batch(self) -> list[Record]:
        """Return what is to be processed next.

        A few records wait for the commit in flight: processed beside it they could be committed no sooner, and what comes
        meanwhile would have to wait for a commit more. Many are processed meanwhile, since that takes as long as a commit.
        """
        if len(self._left) + len(self._inputs) < self._max_records // _WORTH_PIPELINING:
            await self._committed()
        return self._next()

    def _next(self) -> list[Record]:
        if len(self._left) < self._max_records:
            self._left += self._inputs.take(self._goals or None)
        return self._left

    async def _process(self, records: list[Record], *, is_rebuilding: bool) -> tuple[list[Record], Result]:
        result = await self._spec.processor.process(records, is_rebuilding)
        count = len(records) if result.consumed is None else result.consumed
        if not 1 <= count <= len(records):
            raise TransportError(f"{self._name}: a processor said it consumed {count} of {len(records)} records")
        self._left = records[count:]
        self.counters.batches += 1
        return records[:count], result

    async def _rebuild(self) -> None:
        if records := self._next():
            taken, _ = await self._process(records, is_rebuilding=True)
            self.counters.rebuilt += len(taken)
        elif await self._is_rebuilt():
            self._goals = {}
            log.info("TaskRebuilt", task=self._name, records=self.counters.rebuilt)
        else:
            await self._inputs.wait(REBUILD_POLL_SECONDS)

    async def _is_rebuilt(self) -> bool:
        # Positions, not records: the last record before a goal may have been compacted away since.
        return all([await self._inputs.position(place) >= goal for place, goal in self._goals.items()])

    async def _idle(self) -> None:
        result = await self._on_idle(self._spec.number) if self._on_idle is not None else None
        if result is not None:
            self._latest = result
        await self._settle(result)

    async def _accept(self, taken: list[Record], result: Result) -> None:
        self.positions |= _next_offsets(taken, len(self._inputs.places))
        # Without its outputs: they are large, and gone as soon as they are committed.
        self._latest, self._is_moved = Result(rebuild_from=result.rebuild_from, details=result.details), True
        self._uncommitted += len(taken)
        await self._settle(result)

    async def _settle(self, result: Result | None = None, *, is_last: bool = False) -> None:
        """Begin to commit: outputs at once, positions that moved without any when it is time."""
        outputs = result.outputs if result is not None else []
        is_due = asyncio.get_running_loop().time() - self._committed_at >= QUIET_COMMIT_SECONDS
        if not outputs and not (self._is_moved and (is_last or is_due)):
            return
        positions = {position_key(*place): offset for place, offset in self.positions.items()}
        state = TaskState(positions=positions, rebuild_from=self._latest.rebuild_from, details=self._latest.details)
        await self._committed()
        then = result.committed if result is not None else None
        self._committing = self._group.create_task(self._commit(outputs, state, self._uncommitted, then))
        self._is_moved, self._uncommitted = False, 0

    async def _commit(
        self, outputs: Sequence[Output], state: TaskState, records: int, then: Callable[[], None] | None
    ) -> AmbiguousError | None:
        """Return a doubt instead of raising it: in a group, what raises ends everything."""
        try:
            await self._committer.commit(outputs, state)
        except AmbiguousError as error:
            return error
        if then is not None:
            then()
        self._committed_at = asyncio.get_running_loop().time()
        self.counters.records += records
        self.counters.transactions += 1
        self.counters.outputs += len(outputs)
        return None

    async def _committed(self) -> None:
        """Wait for the commit in flight.

        Raises:
            AmbiguousError: nobody can say whether it went through.
        """
        if self._committing is not None and (doubt := await asyncio.shield(self._committing)) is not None:
            raise doubt

    async def _beside_commit(self, doing: Coroutine[Any, Any, _T]) -> _T:
        """Do something unless the commit in flight fails: then what is done would have to be done again."""
        try:
            async with asyncio.TaskGroup() as turn:
                watching = turn.create_task(self._committed())
                done = await doing
                watching.cancel()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        return done

    async def _end_commit(self) -> None:
        """Whatever ended the loop, a commit in flight is worth waiting for: nobody then has to do its batch again."""
        if self._committing is not None:
            await asyncio.wait((self._committing,))


def _next_offsets(records: Sequence[Record], places: int) -> dict[Place, int]:
    """Where each place among the records goes on; of many records only the last ones are looked at."""
    found: dict[Place, int] = {}
    for record in reversed(records):
        found.setdefault((record.topic, record.partition), record.offset + 1)
        if len(found) == places:
            break
    return found


def _ahead(place: Place, position: int, end: int) -> str:
    return (
        f"the task's state says that {place[0]} partition {place[1]} was read up to {position}, but it ends at {end}: "
        f"the topic was deleted and made again. Delete the state topic too, or give the new topic another name"
    )
