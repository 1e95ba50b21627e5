"""Slots for those who are compared with the daemon: their bundles score the same stream as shadows."""

from __future__ import annotations

import msgspec

from daemon.replay.source import Lockstep, ReplayStalledError
from streams.contracts.records import Command, Deployment
from streams.contracts.topics import topic_name
from streams.runtime.clock import WallClock
from streams.transport.follower import Follower
from streams.transport.publisher import Publisher
from streams.transport.records import Output

_PATIENCE_SECONDS = 120.0


class Seats:
    """Orders shadows through the same topic as people do, and follows what the daemon makes of it.

    Args:
        model: whose.
        lockstep: the replay, for how far serving is.
        publisher: writes commands.
        deployments: follows the deployments topic.
        clock: for deadlines.
    """

    def __init__(self, model: str, *, lockstep: Lockstep, publisher: Publisher, deployments: Follower, clock: WallClock) -> None:
        self._model = model
        self._lockstep = lockstep
        self._publisher = publisher
        self._deployments = deployments
        self._clock = clock
        self._orders = 0
        self.deployed: Deployment | None = None

    async def put(self, slot: str, digest: str) -> None:
        """Put a bundle into a slot; on return serving knows it, so that the next bucket's rows find it in place.

        Raises:
            ReplayStalledError: the daemon or serving doesn't follow.
        """
        self._orders += 1
        arguments = {"name": slot, "digest": digest}
        await self.order(Command(id=f"{slot}-{self._orders}", kind="shadow", model=self._model, by="replay", arguments=arguments))
        deadline = self._clock.monotonic() + _PATIENCE_SECONDS
        while not self._holds(slot, digest):
            await self._lockstep.breathe()
            await self.look()
            if self._clock.monotonic() > deadline:
                raise ReplayStalledError(f"the daemon didn't put {digest[:12]} into the slot {slot}; its log says why")

    async def order(self, command: Command) -> None:
        """Write a command to the daemon."""
        await self._publisher.send(Output(topic_name("commands"), 0, self._model.encode(), msgspec.json.encode(command)))

    async def look(self) -> Deployment | None:
        """Read the newest deployment."""
        for record in await self._deployments.poll(timeout_ms=0):
            if record.value and record.key == self._model.encode():
                self.deployed = msgspec.json.decode(record.value, type=Deployment)
        return self.deployed

    def _holds(self, slot: str, digest: str) -> bool:
        if self.deployed is None or self._lockstep.served_generation < self.deployed.generation:
            return False
        return any(active.name == slot and active.digest == digest for active in self.deployed.active)
