"""Writing single records outside of any transaction: deployments, reports, events of people, audit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.contracts.errors import TransportError
from streams.transport import batches
from streams.transport.records import Output


class Publisher:
    """An idempotent producer. After a failure the next send begins with a new one.

    Args:
        bootstrap: `host:port` of the broker.
        client_id: what the broker calls this client in its logs.
    """

    def __init__(self, bootstrap: str, client_id: str = "driftwake.publisher") -> None:
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Connect.

        Raises:
            TransportError: no broker answers.
        """
        async with self._lock:
            await self._connected()

    async def send(self, output: Output) -> None:
        """Write one record; on return the broker has it.

        Raises:
            TransportError: it may not have been written.
        """
        await self.send_many([output])

    async def send_many(self, outputs: Sequence[Output]) -> None:
        """Write records, within a partition in order; on return the broker has them all.

        Raises:
            TransportError: some may not have been written.
        """
        if not outputs:
            return
        batches.check_outputs(outputs)
        async with self._lock:
            producer = await self._connected()
            try:
                async with asyncio.timeout(batches.DEADLINE_SECONDS):
                    await batches.write(producer, outputs)
            except (KafkaError, TimeoutError, OSError) as error:
                # After an unclear answer the sequence numbers of this producer mean nothing any more.
                self._producer = None
                await batches.drop(producer)
                raise TransportError(f"publishing to {outputs[0].topic}: {error!r}") from error

    async def stop(self) -> None:
        """Disconnect; what was sent is acknowledged already."""
        async with self._lock:
            if self._producer is not None:
                await batches.drop(self._producer)
                self._producer = None

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is not None:
            return self._producer
        producer = batches.new_producer(self._bootstrap, self._client_id)
        try:
            async with asyncio.timeout(batches.DEADLINE_SECONDS):
                await producer.start()
        except BaseException as error:
            await batches.drop(producer)
            if isinstance(error, KafkaError | TimeoutError | OSError):
                raise TransportError(f"no broker answers at {self._bootstrap}: {error!r}") from error
            raise
        self._producer = producer
        return producer
