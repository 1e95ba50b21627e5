"""One consumer for all the partitions that a stage reads in this process: one fetch asks for whatever any of them has.

A consumer for each partition costs a connection and fetches for each, although one request of a caller brings records to
several. Measured at 2,000 records a second over four partitions: 1,200 fetches a second that way, 300 this way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.contracts.errors import TransportError
from streams.transport.closing import close_consumer
from streams.transport.follower import new_consumer
from streams.transport.records import Record, from_wire

Place = tuple[str, int]

# Of one partition. More makes nothing faster, and mailboxes run over by as much.
FETCH_BYTES = 1 << 20
# A partition whose mailbox was full is asked for again when the fetch of the others returns, which may find nothing so long.
SHARED_WAIT_MS, LONE_WAIT_MS = 100, 500
_POLL_MS = 60_000


class Mailbox(Protocol):
    """Where the records of a partition go."""

    def deliver(self, place: Place, records: Sequence[Record]) -> bool:
        """Take what came, in order; true while there is room for more."""
        ...


class Source:
    """Reads partitions into mailboxes, each from where its reader wants to, and pauses those that are full.

    Args:
        bootstrap: `host:port` of the broker.
        places: every partition that may be read, as (topic, number); each is read from when it is first sought.
        client_id: what the broker calls the consumer in its logs.
    """

    def __init__(self, bootstrap: str, places: Iterable[Place], client_id: str) -> None:
        self._partitions = {place: TopicPartition(*place) for place in places}
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._readers: dict[Place, Mailbox] = {}
        self._starts: dict[Place, tuple[int, int]] = {}
        self._seeks = 0
        self._consumer: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        """Connect. The caller keeps `pump` going."""
        wait_ms = SHARED_WAIT_MS if len(self._partitions) > 1 else LONE_WAIT_MS
        consumer = new_consumer(self._bootstrap, self._client_id, fetch_wait_ms=wait_ms, fetch_bytes=FETCH_BYTES)
        consumer.assign(list(self._partitions.values()))
        consumer.pause(*self._partitions.values())
        self._consumer = consumer
        await consumer.start()
        for partition in self._partitions.values():
            consumer.seek(partition, 0)  # nothing is read there, and the client needn't ask where to begin

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await close_consumer(self._consumer)
            self._consumer = None

    async def bounds(self, places: Iterable[Place]) -> dict[Place, tuple[int, int]]:
        """Return the first offset and the end (behind the last committed record) of each partition."""
        wanted = {self._partitions[place]: place for place in places}
        firsts = await self._connected.beginning_offsets(list(wanted))
        ends = await self._connected.end_offsets(list(wanted))
        return {place: (firsts[partition], ends[partition]) for partition, place in wanted.items()}

    def seek(self, reader: Mailbox, offsets: Mapping[Place, int]) -> None:
        """Read these partitions from these offsets on, for this reader, whoever had them before."""
        self._seeks += 1
        for place, offset in offsets.items():
            self._readers[place] = reader
            self._starts[place] = (self._seeks, offset)
            self._connected.seek(self._partitions[place], offset)
            self._connected.resume(self._partitions[place])

    def leave(self, reader: Mailbox) -> None:
        """Read no more for this reader."""
        for place in [place for place, of in self._readers.items() if of is reader]:
            del self._readers[place]
            if self._consumer is not None:
                self._consumer.pause(self._partitions[place])

    def resume(self, reader: Mailbox, place: Place) -> None:
        """Read on: there is room again. Nothing happens for a reader whose partition is another's by now."""
        if self._readers.get(place) is reader:
            self._connected.resume(self._partitions[place])

    async def position(self, place: Place) -> int:
        """Return the offset that the next fetch begins at."""
        return await self._connected.position(self._partitions[place])

    async def pump(self) -> None:
        """Keep the mailboxes filled, until cancelled.

        Raises:
            TransportError: the broker refuses, for good.
        """
        consumer = self._connected
        while True:
            seeks = self._seeks
            try:
                fetched = await consumer.getmany(timeout_ms=_POLL_MS)
            except KafkaError as error:
                raise TransportError(f"{self._client_id} reading at {self._bootstrap}: {error!r}") from error
            for partition, messages in fetched.items():
                place = (partition.topic, partition.partition)
                number, start = self._starts.get(place, (0, 0))
                if number > seeks:
                    # Nobody can say whether this is from before the seek or from behind it.
                    consumer.seek(partition, start)
                elif (reader := self._readers.get(place)) is not None and not reader.deliver(
                    place, [from_wire(message) for message in messages]
                ):
                    consumer.pause(partition)

    @property
    def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise TransportError(f"{self._client_id} isn't connected")
        return self._consumer
