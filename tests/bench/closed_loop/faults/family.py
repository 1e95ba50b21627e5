"""All kinds of faults, and how a scenario's come about in its replay."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from streams.contracts.records import Command
from tests.bench.closed_loop.faults import (
    broker_restart,
    corrupt_onnx,
    trained_on_future,
    training_killed,
    wrong_feature_order,
)
from tests.bench.closed_loop.faults.base import Ground, Happened, Planned
from tests.bench.closed_loop.setting import MODEL

BUNDLES: Final[Mapping[str, Callable[[Ground, int], Awaitable[str]]]] = {
    kind.KIND: kind.make for kind in (corrupt_onnx, wrong_feature_order, trained_on_future)
}
ACCIDENTS: Final[Mapping[str, Callable[[Ground], Awaitable[None]]]] = {
    kind.KIND: kind.happen for kind in (broker_restart, training_killed)
}


class Faults:
    """A scenario's faults, each done once.

    Args:
        planned: what is to be done.
        ground: what it is done to.
        group: runs accidents beside the replay.
    """

    def __init__(self, planned: Sequence[Planned], ground: Ground, group: asyncio.TaskGroup) -> None:
        self._waiting = sorted(planned, key=lambda one: one.time_ms)
        self._ground = ground
        self._group = group
        self._under_way: dict[Planned, asyncio.Task[None]] = {}
        self.happened: list[Happened] = []

    async def begin(self, time_ms: int) -> None:
        """Do what is due: a bundle is submitted before this returns, an accident only begins."""
        while self._waiting and self._waiting[0].time_ms <= time_ms:
            fault = self._waiting.pop(0)
            if fault.kind in BUNDLES:
                await self._submit(fault, time_ms)
            else:
                self._under_way[fault] = self._group.create_task(self._accident(fault, time_ms))

    def end(self) -> None:
        """Give up on trainings that never came; a broker that restarts is waited for by the group."""
        for fault, task in self._under_way.items():
            if fault.kind == training_killed.KIND:
                task.cancel()

    async def _submit(self, fault: Planned, time_ms: int) -> None:
        """Hand a bad bundle in, with the command that `driftwake deploy` writes."""
        digest = await BUNDLES[fault.kind](self._ground, time_ms)
        force = {"force": "the bench wants to see what becomes of it"} if fault.forced else {}
        arguments = {"digest": digest} | force
        command = Command(id=f"{fault.kind}-{time_ms}", kind="challenge", model=MODEL, by="bench", arguments=arguments)
        await self._ground.stage.lockstep.settled(self._ground.stage.seats.order(command))
        self.happened.append(Happened(fault.kind, time_ms, digest, fault.forced))

    async def _accident(self, fault: Planned, time_ms: int) -> None:
        await ACCIDENTS[fault.kind](self._ground)
        self.happened.append(Happened(fault.kind, time_ms))
