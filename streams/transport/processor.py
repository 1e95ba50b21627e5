"""What a stage gives to the door: one processor per task; and what the door counts about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

from streams.contracts.records import TaskState
from streams.transport.records import Record, Result

Delivery = Literal["exactly_once", "at_least_once"]


class Processor(Protocol):
    """A stage's part for one task: one input partition, or the same partition of two inputs.

    Its memory must be a fold of the records it was given since `restore`. Only the task calls it, never concurrently.
    """

    def restore(self, state: TaskState | None) -> dict[str, int]:
        """Forget everything and begin again from the last committed state; None means the task never committed, or is given up.

        Called on assignment, again after any ambiguous commit, and when another worker takes the task over. The answer says
        from which offsets (keyed `topic/partition`) the inputs are read; inputs it does not name are read from the state's
        position, or from their beginning. Records before the state's position come with `rebuilding=True`.
        """
        ...

    async def process(self, records: Sequence[Record], rebuilding: bool) -> Result:  # noqa: FBT001 - the one question there is
        """Take one micro-batch: in offset order per partition, watermark records included, never empty.

        The outputs, in order, and the state record are committed together, in the background: the next call may come before that
        is done, and a commit that fails cancels it and leads to `restore`. While rebuilding, the
        result is dropped: what it would say was committed before. An exception stops the stage. It may wait for what the
        committed outputs of *other* tasks cause (serving in a replay does): the tasks of a runner don't wait for each other.
        """
        ...


class TaskSpec(NamedTuple):
    """One task: its number (the partition of the state topic), its inputs as (topic, partition), and its processor."""

    number: int
    inputs: tuple[tuple[str, int], ...]
    processor: Processor


class TaskCounters(msgspec.Struct):
    """What a task did since its process began. Telemetry reads these; nothing else does.

    `lag` is the number of offsets between the positions and the ends of the inputs, at most a second old;
    `truncated` counts assignments that found records deleted (by retention) that the task still wanted to read.
    """

    records: int = 0
    rebuilt: int = 0
    batches: int = 0
    outputs: int = 0
    transactions: int = 0
    aborted: int = 0
    recoveries: int = 0
    truncated: int = 0
    lag: int = 0
