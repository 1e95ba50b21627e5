"""Which tasks this worker does: Kafka's own group protocol divides them among all workers of a stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError

from streams.contracts.errors import TransportError
from streams.transport.closing import close_consumer

log = structlog.get_logger()

_POLL_MS = 500
_HEARTBEATS = 5

Assigned = frozenset[int]


class Worker(NamedTuple):
    """A worker among those that share the tasks of the stages.

    `name` tells it from all that ever join: who comes back under its name, after a crash for instance, finds its tasks where it
    left them. One that has said nothing for `session_ms` has died, and others take over what it did.
    """

    name: str
    session_ms: int = 10_000


class Membership:
    """A worker's place in a group whose shares are the partitions of one topic; nothing is ever read from it.

    A share that moves is begun by its new worker while the old one may still be at it: transactions decide who is right. So a
    worker goes on with all it has until it is told what it keeps.

    Args:
        bootstrap: `host:port` of the broker.
        group: the group's name.
        topic: each of its partitions is one share.
        worker: who this is.
    """

    def __init__(self, bootstrap: str, *, group: str, topic: str, worker: Worker) -> None:
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
            client_id=f"{self._group}.{self._worker.name}",
            group_id=self._group,
            group_instance_id=self._worker.name,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            session_timeout_ms=self._worker.session_ms,
            heartbeat_interval_ms=self._worker.session_ms // _HEARTBEATS,
            rebalance_timeout_ms=self._worker.session_ms,
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
            coordinator = consumer._coordinator  # noqa: SLF001 - the client has no other way to say it
            if coordinator is not None:
                coordinator._group_instance_id = None  # noqa: SLF001 - as above
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
