"""A small stage for tests: each record of a number gives one output with the running sum, folded anew after a restart.

As a program it is a worker that tests may kill:
`python -m tests.kit.running_sum BOOTSTRAP MODEL INPUT OUTPUT STATE DELIVERY [WORKER PARTITIONS]`.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Sequence

import msgspec
import uvloop

from streams.contracts.records import TaskState
from streams.transport.membership import Worker
from streams.transport.records import Output, Record, Result, position_key
from streams.transport.task import StageRunner, TaskSpec


class Sum(msgspec.Struct):
    """An output: from which offset, what it was, the sum up to it, and the process's own view of its memory."""

    offset: int
    number: int
    total: int


class RunningSum:
    """Keeps the newest `REACH` numbers and a base before them; memory is rebuilt from the oldest kept one."""

    REACH = 500

    def __init__(self, topic: str, partition: int, output: str) -> None:
        self._place = (topic, partition)
        self._output = output
        self._base = 0
        self._kept: list[tuple[int, int]] = []
        self.restored = 0
        self.rebuilt = 0

    def restore(self, state: TaskState | None) -> dict[str, int]:
        """Begin from the base that the state states."""
        self.restored += 1
        self._base = state.details["base"] if state else 0
        self._kept = []
        return state.rebuild_from if state else {}

    async def process(self, records: Sequence[Record], rebuilding: bool) -> Result:  # noqa: FBT001 - the protocol's
        """One output per record."""
        outputs = []
        self.rebuilt += len(records) if rebuilding else 0
        for record in records:
            assert record.value is not None
            self._kept.append((record.offset, int(record.value)))
            total = self._base + sum(number for _, number in self._kept)
            value = msgspec.json.encode(Sum(record.offset, int(record.value), total))
            outputs.append(Output(self._output, record.partition, record.key, value))
            if len(self._kept) > self.REACH:
                self._base += self._kept.pop(0)[1]
        return Result(outputs, {position_key(*self._place): self._kept[0][0]}, {"base": self._base})


def runner_of(
    bootstrap: str,
    model: str,
    topics: tuple[str, str, str],
    *,
    delivery: str = "exactly_once",
    partitions: int = 1,
    max_records: int = 50,
    worker: Worker | None = None,
    on_share: Callable[[frozenset[int]], None] = lambda numbers: None,
) -> StageRunner:
    """Build the stage; `topics` are input, output and state."""
    source, output, state = topics
    tasks = {number: TaskSpec(number, ((source, number),), RunningSum(source, number, output)) for number in range(partitions)}
    return StageRunner(
        name="summing",
        model=model,
        bootstrap=bootstrap,
        tasks=tasks,
        state_topic=state,
        delivery="exactly_once" if delivery == "exactly_once" else "at_least_once",
        max_records=max_records,
        worker=worker,
        on_share=on_share,
    )


async def _main(bootstrap: str, model: str, *rest: str) -> None:
    source, output, state, delivery, *shared = rest
    worker, partitions = (Worker(shared[0]), int(shared[1])) if shared else (None, 1)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    runner = runner_of(bootstrap, model, (source, output, state), delivery=delivery, partitions=partitions, worker=worker)
    await runner.run(stopping)


if __name__ == "__main__":
    uvloop.run(_main(*sys.argv[1:]))
