"""Which tasks this worker does: Kafka's own group protocol divides them among all workers of a stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError

from streams.contracts.errors import TransportError
from streams.transport.closing import close_consumer

log = structlog.get_logger()

# A worker that says nothing for so long has died, and the others take over what it did.
SESSION_MS = 10_000
HEARTBEAT_MS = 2_000
_POLL_MS = 500

Assigned = frozenset[int]


class Membership:
    """A worker's place in a group whose shares are the partitions of one topic; nothing is ever read from it.

    A share that moves is begun by its new worker while the old one may still be at it: transactions decide who is right. So a
    worker goes on with all it has until it is told what it keeps.

    Args:
        bootstrap: `host:port` of the broker.
        group: the group's name.
        topic: each of its partitions is one share.
        worker: names this worker among all that ever join. Who comes back under its name within `SESSION_MS`, after a crash for
            instance, finds its shares where it left them.
    """

    def __init__(self, bootstrap: str, *, group: str, topic: str, worker: str) -> None:
        self._bootstrap = bootstrap
        self._group = group
        self._topic = topic
        self._worker = worker

    async def follow(self, changed: Callable[[Assigned], None]) -> None:
        """Stay in the group until cancelled, then leave it; `changed` is told what is this worker's, as often as that changes.

        Raises:
            TransportError: the broker refuses, for good.
        """
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            client_id=f"{self._group}.{self._worker}",
            group_id=self._group,
            group_instance_id=self._worker,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            rebalance_timeout_ms=SESSION_MS,
            partition_assignment_strategy=(StickyPartitionAssignor,),
        )
        try:
            await consumer.start()
            consumer.subscribe([self._topic], listener=_Listener(consumer, self._group, changed))
            while True:
                # Everything is paused: this only keeps the membership alive, and raises what goes wrong with it.
                await consumer.getmany(timeout_ms=_POLL_MS)
        except (KafkaError, OSError) as error:
            raise TransportError(f"{self._group} at {self._bootstrap}: {error!r}") from error
        finally:
            # A worker with a name keeps its place when it goes, unless it says that it won't come back.
            consumer._coordinator._group_instance_id = None  # noqa: SLF001 - the client has no other way to say it
            await close_consumer(consumer)


class _Listener(ConsumerRebalanceListener):
    """Hands on what the group decided."""

    def __init__(self, consumer: AIOKafkaConsumer, group: str, changed: Callable[[Assigned], None]) -> None:
        self._consumer = consumer
        self._group = group
        self._changed = changed

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Go on: what comes next says what is kept."""

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Take note."""
        places: list[Any] = list(assigned)
        self._consumer.pause(*places)
        numbers = frozenset(place.partition for place in places)
        log.info("TasksShared", group=self._group, tasks=sorted(numbers))
        self._changed(numbers)
