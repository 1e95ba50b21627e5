"""Committing a micro-batch: its outputs and the task's state record, in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidProducerEpoch, KafkaError, ProducerFenced
from aiokafka.protocol.transaction import AddPartitionsToTxnRequest, EndTxnRequest

from streams.contracts.errors import FencedError, TransportError
from streams.contracts.records import TaskState
from streams.transport import batches
from streams.transport.follower import read_partition
from streams.transport.processor import Delivery
from streams.transport.records import Output

LIBRARY_ERRORS = (KafkaError, TimeoutError, OSError)

# A transaction that begins while the broker still writes the markers of the last one is sent back and, in the client,
# waits 20 ms or more. Measured: 24.7 ms a transaction without a pause, 3.7 ms with one of 1 to 3 ms.
PAUSE_SECONDS = 0.0015
_CONCURRENT = 51
_QUICK_TRIES = 8
_FIRST_LOOK = 16
_LOOK_GROWTH = 8


def _is_concurrent(response: Any) -> bool:
    """Whether the broker still writes the markers of the transaction before."""
    return any(code == _CONCURRENT for _, partitions in response.errors for _, code in partitions)


class AmbiguousError(TransportError):
    """Nobody can say whether a commit went through; the task must read its last state again."""


class Committer:
    """One task's producer. A new `open` fences every older one with the same name (exactly once only).

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
        self._exactly_once = delivery == "exactly_once"
        self._producer: AIOKafkaProducer | None = None
        self._ready_at = 0.0
        self._is_doubtful = False

    async def open(self) -> TaskState | None:
        """Take the task over: end what an older producer left open, and return the last committed state.

        Raises:
            AmbiguousError: the broker did not answer as it should; try again.
            TransportError: the newest state record can't be read.
        """
        await self.close()
        producer = batches.new_producer(self._bootstrap, self._name, self._name if self._exactly_once else None)
        self._producer, self._is_doubtful = producer, False
        self._watch(producer)
        try:
            async with asyncio.timeout(batches.DEADLINE_SECONDS):
                await producer.start()
                return await last_state(self._bootstrap, self._state_topic, self._state_partition)
        except LIBRARY_ERRORS as error:
            raise AmbiguousError(f"{self._name}: taking over: {error!r}") from error

    def _watch(self, producer: AIOKafkaProducer) -> None:
        """Notice when an end of transaction got no answer.

        The client repeats it by itself. The first one may still arrive, and would then end a later transaction half-way
        (the protocol's own flaw, KIP-890), so whatever the repetition says, this producer is not used again.
        """
        send = producer.client.send

        async def watched(node_id: Any, request: Any, **options: Any) -> Any:
            try:
                response = await send(node_id, request, **options)
                if isinstance(request, AddPartitionsToTxnRequest):
                    for _ in range(_QUICK_TRIES):
                        if not _is_concurrent(response):
                            break
                        await asyncio.sleep(PAUSE_SECONDS)
                        response = await send(node_id, request, **options)
            except BaseException:
                self._is_doubtful |= isinstance(request, EndTxnRequest)
                raise
            return response

        producer.client.send = watched

    async def commit(self, outputs: Sequence[Output], state: TaskState) -> None:
        """Write outputs and state so that readers see all or nothing (exactly once), or outputs before state.

        Raises:
            FencedError: another process owns the task.
            AmbiguousError: it may or may not have been committed.
            TransportError: an output can't be written by anybody.
        """
        if self._producer is None:
            raise AmbiguousError(f"{self._name}: not open")
        batches.check_outputs(outputs)
        record = Output(self._state_topic, self._state_partition, self._name.encode(), msgspec.json.encode(state))
        try:
            async with asyncio.timeout(batches.DEADLINE_SECONDS):
                await (self._transact if self._exactly_once else self._write)(self._producer, outputs, record)
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise FencedError(f"{self._name} was taken over by another process") from error
        except LIBRARY_ERRORS as error:
            raise AmbiguousError(f"{self._name}: committing: {error!r}") from error
        if self._is_doubtful:
            raise AmbiguousError(f"{self._name}: the end of a transaction had to be sent twice")

    async def _transact(self, producer: AIOKafkaProducer, outputs: Sequence[Output], record: Output) -> None:
        loop = asyncio.get_running_loop()
        if (rest := self._ready_at - loop.time()) > 0:
            await asyncio.sleep(rest)
        await producer.begin_transaction()
        await batches.write(producer, [*outputs, record])
        await producer.commit_transaction()
        self._ready_at = loop.time() + PAUSE_SECONDS

    async def _write(self, producer: AIOKafkaProducer, outputs: Sequence[Output], record: Output) -> None:
        await batches.write(producer, outputs)
        await batches.write(producer, [record])

    async def close(self) -> None:
        """Give the producer up; an open transaction is ended by the next `open` or by its timeout."""
        if self._producer is not None:
            await batches.drop(self._producer)
            self._producer = None


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
