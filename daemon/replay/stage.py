"""A system to replay a log in: the broker's topics, the data plane and the daemon, and what drives and watches them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from daemon.replay.seats import Seats
from daemon.replay.source import Lockstep
from daemon.running import processes_of
from daemon.settings import DaemonSettings
from streams.contracts.topics import topic_name
from streams.runtime.clock import SystemClock
from streams.transport.follower import Follower
from streams.transport.publisher import Publisher


class Stage(NamedTuple):
    """What a replay plays on."""

    bootstrap: str
    lockstep: Lockstep
    seats: Seats
    publisher: Publisher


@asynccontextmanager
async def staged(settings: DaemonSettings, config: Path, model: str, bootstrap: str) -> AsyncIterator[Stage]:
    """Run the processes of a config (its model in replay mode) as long as the block.

    Raises:
        TransportError: the topics aren't there.
        ProcessFailedError: a process died too often (inside an exception group).
    """
    given, clock = settings.model(model), SystemClock()
    async with AsyncExitStack() as stack:
        publisher = Publisher(bootstrap, "driftwake.replay")
        reports, deployments = (Follower(bootstrap, [topic_name(kind)]) for kind in ("workers", "deployments"))
        await publisher.start()
        stack.push_async_callback(publisher.stop)
        for follower in (reports, deployments):
            await follower.start()
            stack.push_async_callback(follower.stop)
        lockstep = Lockstep(
            publisher=publisher,
            reports=reports,
            clock=clock,
            model=model,
            requests_topic=given.topic("requests"),
            labels_topic=given.topic("labels"),
            events_topic=topic_name("events"),
            sources={name: source.topic for name, source in given.sources.items()},
            partitions=given.partitions,
            step_ms=given.skew.ms,
        )
        seats = Seats(model, lockstep=lockstep, publisher=publisher, deployments=deployments, clock=clock)
        async with processes_of(settings, config, bootstrap):
            yield Stage(bootstrap, lockstep, seats, publisher)
