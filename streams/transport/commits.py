"""Committing a micro-batch: its outputs and the task's state record, in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import msgspec
from aiokafka.errors import InvalidProducerEpoch, KafkaError, ProducerFenced

from streams.contracts.errors import FencedError, TransportError
from streams.contracts.records import TaskState
from streams.transport import batches
from streams.transport.follower import read_partition
from streams.transport.processor import Delivery
from streams.transport.records import Output
from streams.transport.transactions import TransactionalProducer

LIBRARY_ERRORS = (KafkaError, TimeoutError, OSError)

_FIRST_LOOK = 16
_LOOK_GROWTH = 8


class AmbiguousError(TransportError):
    """Nobody can say whether a commit went through; the task must read its last state again."""


class Writer(Protocol):
    """Writes what a task commits; after an error it is closed and another one started."""

    async def start(self) -> None:
        """Connect."""
        ...

    async def commit(self, outputs: Sequence[Output], state: Output) -> None:
        """Write outputs and state; on return the broker has them."""
        ...

    async def close(self) -> None:
        """Let the connections go."""
        ...


class AtLeastOnce:
    """Writes outputs, then the state: it never says more than was written.

    Args:
        bootstrap: `host:port` of the broker.
        name: what the broker calls this client.
    """

    def __init__(self, bootstrap: str, name: str) -> None:
        self._producer = batches.new_producer(bootstrap, name)

    async def start(self) -> None:
        """Connect."""
        await self._producer.start()

    async def commit(self, outputs: Sequence[Output], state: Output) -> None:
        """Write outputs, then the state."""
        await batches.write(self._producer, outputs)
        await batches.write(self._producer, [state])

    async def close(self) -> None:
        """Let the connections go."""
        await batches.drop(self._producer)


class Committer:
    """One task's writer. A new `open` fences every older one with the same name (exactly once only).

    Args:
        bootstrap: `host:port` of the broker.
        name: the transactional id, `driftwake.{model}.{stage}.{number}`.
        state: topic and partition of the task's state records.
        delivery: with `at_least_once` there is no transaction, and the state record follows the outputs.
    """

    def __init__(self, bootstrap: str, name: str, state: tuple[str, int], delivery: Delivery) -> None:
        self._bootstrap = bootstrap
        self._name = name
        self._state_topic, self._state_partition = state
        self._make: type[TransactionalProducer | AtLeastOnce] = (
            TransactionalProducer if delivery == "exactly_once" else AtLeastOnce
        )
        self._writer: Writer | None = None

    async def open(self) -> TaskState | None:
        """Take the task over: end what an older writer left open, and return the last committed state.

        Raises:
            AmbiguousError: the broker did not answer as it should; try again.
            TransportError: the newest state record can't be read.
        """
        await self.close()
        self._writer = self._make(self._bootstrap, self._name)
        try:
            async with asyncio.timeout(batches.DEADLINE_SECONDS):
                await self._writer.start()
                return await last_state(self._bootstrap, self._state_topic, self._state_partition)
        except LIBRARY_ERRORS as error:
            raise AmbiguousError(f"{self._name}: taking over: {error!r}") from error

    async def commit(self, outputs: Sequence[Output], state: TaskState) -> None:
        """Write outputs and state so that readers see all or nothing (exactly once), or outputs before state.

        Raises:
            FencedError: another process owns the task.
            AmbiguousError: it may or may not have been committed.
            TransportError: an output can't be written by anybody.
        """
        if self._writer is None:
            raise AmbiguousError(f"{self._name}: not open")
        batches.check_outputs(outputs)
        record = Output(self._state_topic, self._state_partition, self._name.encode(), msgspec.json.encode(state))
        try:
            async with asyncio.timeout(batches.DEADLINE_SECONDS):
                await self._writer.commit(outputs, record)
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise FencedError(f"{self._name} was taken over by another process") from error
        except LIBRARY_ERRORS as error:
            raise AmbiguousError(f"{self._name}: committing: {error!r}") from error

    async def close(self) -> None:
        """Give the writer up; an open transaction is ended by the next `open` or by its timeout."""
        if self._writer is not None:
            await self._writer.close()
            self._writer = None


async def last_state(bootstrap: str, topic: str, partition: int) -> TaskState | None:
    """Return the newest committed state record of a task; None when there is none.

    Transaction markers, aborted records and compaction leave gaps, so it looks back further and further.

    Raises:
        aiokafka.errors.KafkaError: no good answer.
        TransportError: the record isn't a task's state.
    """
    back = _FIRST_LOOK
    while True:
        records, is_all = await read_partition(bootstrap, topic, partition, back)
        values = [record.value for record in records if record.value]
        if values:
            break
        if is_all:
            return None
        back *= _LOOK_GROWTH
    try:
        return msgspec.json.decode(values[-1], type=TaskState)
    except msgspec.MsgspecError as error:
        raise TransportError(f"the newest record of {topic} partition {partition} isn't a task's state: {error}") from error
