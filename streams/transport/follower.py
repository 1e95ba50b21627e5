"""Reading whole topics without a group: from the beginning (or stated offsets) to the end, then what comes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.contracts.errors import TransportError
from streams.transport.admin import topic_partitions
from streams.transport.closing import close_consumer
from streams.transport.records import Record, from_wire, position_key

# About a full micro-batch of serving; twice as much costs 35 MiB at its peak and makes nothing faster.
FETCH_BYTES = 4 << 20
START_SECONDS = 30.0


def new_consumer(bootstrap: str, client_id: str, fetch_wait_ms: int = 500) -> AIOKafkaConsumer:
    """Make a read_committed consumer without a group; the caller assigns, starts and stops it."""
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        client_id=client_id,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_wait_ms=fetch_wait_ms,
        retry_backoff_ms=20,
    )


class Follower:
    """Reads every partition of some topics; committed records only, in offset order per partition.

    Args:
        bootstrap: `host:port` of the broker.
        topics: their partitions are those that exist at the start.
        start: offsets to begin at, keyed `topic/partition`; partitions it does not name begin at their beginning.
        fetch_wait_ms: how long the broker may hold a fetch back. All partitions share one, so this is also how long one that
            was read late waits for idle others; shorter asks the broker more often.
    """

    def __init__(
        self, bootstrap: str, topics: Sequence[str], *, start: Mapping[str, int] | None = None, fetch_wait_ms: int = 100
    ) -> None:
        self._bootstrap = bootstrap
        self._topics = tuple(topics)
        self._start = dict(start or {})
        self._fetch_wait_ms = fetch_wait_ms
        self._consumer: AIOKafkaConsumer | None = None
        self._ends: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self.ahead = 0
        """How many offsets there were between where it began and the ends, when it was opened."""
        self.lost: tuple[str, ...] = ()
        """The partitions, as `topic/partition`, that don't have the offset to begin at: it is gone, or never was."""

    @property
    def is_open(self) -> bool:
        """Whether it was started and not yet stopped."""
        return self._consumer is not None

    async def start(self) -> list[Record]:
        """Connect, and return everything up to the ends as they were at the time of the call.

        Raises:
            TransportError: a topic isn't there, or no broker answers.
        """
        return [record async for part in self.parts() for record in part]

    async def open(self) -> None:
        """Connect, and note the ends as they are now. Nothing is read before `parts` is asked.

        Raises:
            TransportError: a topic isn't there, or no broker answers.
        """
        partitions = []
        for topic in self._topics:
            partitions += [TopicPartition(topic, number) for number in range(await topic_partitions(self._bootstrap, topic))]
        self._consumer = consumer = new_consumer(self._bootstrap, "driftwake.follower", fetch_wait_ms=self._fetch_wait_ms)
        consumer.assign(partitions)
        async with self._closing_on_error():
            async with asyncio.timeout(START_SECONDS):
                await consumer.start()
                self._ends = await consumer.end_offsets(partitions)
                await self._seek(consumer, self._ends)
                consumer.pause(*self._ends)

    async def look_again(self, is_wanted: Callable[[str], bool]) -> None:
        """Note the ends of partitions anew, if they are wanted by their name, `topic/partition`.

        Raises:
            TransportError: no broker answers.
        """
        wanted = [place for place in self._ends if is_wanted(position_key(place.topic, place.partition))]
        if self._consumer is not None and wanted:
            try:
                async with asyncio.timeout(START_SECONDS):
                    self._ends |= await self._consumer.end_offsets(wanted)
            except (KafkaError, TimeoutError, OSError) as error:
                raise self._explained(error) from error

    def pause(self, places: Collection[str]) -> None:
        """Read exactly these, named `topic/partition`, no further until this is called again, and the others on."""
        self._paused.clear()
        self._paused |= {place for place in self._ends if position_key(place.topic, place.partition) in places}
        if self._consumer is not None:
            self._consumer.resume(*self._ends.keys() - self._paused)
            self._consumer.pause(*self._paused)

    async def parts(self) -> AsyncGenerator[list[Record], None]:
        """Yield everything up to the ends that were noted, as it comes; connect first, unless that was done.

        Raises:
            TransportError: a topic isn't there, or no broker answers.
        """
        if self._consumer is None:
            await self.open()
        if self._consumer is not None:
            async with self._closing_on_error():
                async for records in _parts_to(self._consumer, self._ends, START_SECONDS, self._paused):
                    yield records
                self._consumer.resume(*self._ends.keys() - self._paused)

    @asynccontextmanager
    async def _closing_on_error(self) -> AsyncIterator[None]:
        try:
            yield
        except BaseException as error:
            await self.stop()
            if isinstance(error, KafkaError | TimeoutError | OSError):
                raise self._explained(error) from error
            raise

    def _explained(self, error: BaseException) -> TransportError:
        return TransportError(f"reading {', '.join(self._topics)} at {self._bootstrap}: {error!r}")

    async def _seek(self, consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> None:
        firsts = await consumer.beginning_offsets(list(ends))
        wanted = {place: self._start.get(position_key(place.topic, place.partition), firsts[place]) for place in ends}
        lost = [place for place, offset in wanted.items() if not firsts[place] <= offset <= ends[place]]
        self.lost = tuple(position_key(place.topic, place.partition) for place in lost)
        begins = {place: max(offset, firsts[place]) for place, offset in wanted.items()}
        self.ahead = sum(max(ends[place] - begin, 0) for place, begin in begins.items())
        for place, begin in begins.items():
            consumer.seek(place, begin)

    async def skip(self, places: Collection[str]) -> dict[str, int]:
        """Go to the ends of partitions as they were noted, but never back.

        Args:
            places: which, as `topic/partition`.

        Returns:
            Where it goes on with each that it left something out of, by its name.
        """
        found = {}
        for place, end in self._ends.items():
            name = position_key(place.topic, place.partition)
            if name in places and self._consumer is not None and await self._consumer.position(place) < end:
                self._consumer.seek(place, end)
                found[name] = end
        return found

    async def poll(self, timeout_ms: int) -> list[Record]:
        """Return what came; an empty list when nothing came for `timeout_ms`.

        Raises:
            TransportError: it was not started, or the broker refuses.
        """
        if self._consumer is None:
            raise TransportError("a follower must be started before it is polled")
        try:
            fetched = await self._consumer.getmany(timeout_ms=timeout_ms)
        except KafkaError as error:
            raise TransportError(f"reading {', '.join(self._topics)}: {error!r}") from error
        return [from_wire(message) for messages in fetched.values() for message in messages]

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await close_consumer(self._consumer)
            self._consumer = None


async def _parts_to(
    consumer: AIOKafkaConsumer,
    ends: Mapping[TopicPartition, int],
    patience_s: float = math.inf,
    paused: Collection[TopicPartition] = (),
) -> AsyncGenerator[list[Record], None]:
    """Read until every position that isn't paused has reached its end. Positions count: records have gaps (markers, compaction).

    A partition that has reached its end isn't read on while others haven't.
    A long topic may take its time; from a broker that is silent for so long comes a TimeoutError.
    """
    clock = asyncio.get_running_loop().time
    heard_s = clock()
    while left := {place for place, end in ends.items() if place not in paused and await consumer.position(place) < end}:
        consumer.resume(*left)
        consumer.pause(*ends.keys() - left)
        fetched = await consumer.getmany(timeout_ms=50)
        if fetched:
            yield [from_wire(message) for messages in fetched.values() for message in messages]
            heard_s = clock()
        elif clock() - heard_s > patience_s:
            raise TimeoutError(f"nothing came for {patience_s:.0f} s")


async def read_partition(bootstrap: str, topic: str, partition: int, back: int) -> tuple[list[Record], bool]:
    """Return the committed records among the last `back` offsets of a partition, and whether that was all of it."""
    place = TopicPartition(topic, partition)
    consumer = new_consumer(bootstrap, "driftwake.state")
    consumer.assign([place])
    try:
        await consumer.start()
        first = (await consumer.beginning_offsets([place]))[place]
        end = (await consumer.end_offsets([place]))[place]
        begin = max(first, end - back)
        consumer.seek(place, begin)
        return [record async for part in _parts_to(consumer, {place: end}) for record in part], begin == first
    finally:
        await close_consumer(consumer)
