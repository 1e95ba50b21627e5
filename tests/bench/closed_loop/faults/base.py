"""What a fault works on, and what is kept of it: it takes the ways that a person or an accident would take."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from daemon.replay.by_hand import ByHand
from daemon.replay.stage import Stage
from daemon.settings import DaemonSettings, GovernedModelSettings
from streams.contracts.features import Window
from streams.transport.broker import EmbeddedBroker
from tests.bench.closed_loop.setting import MODEL


class Ground(NamedTuple):
    """What a replay runs on.

    `windows` are the first champion's; a row's label counts as known `label_delay_ms` after it.
    """

    settings: DaemonSettings
    broker: EmbeddedBroker
    stage: Stage
    by_hand: ByHand
    windows: tuple[Window, ...]
    label_delay_ms: int

    @property
    def model(self) -> GovernedModelSettings:
        """The model's settings."""
        return next(model for model in self.settings.models if model.name == MODEL)

    @property
    def registry(self) -> Path:
        """The folder of the published bundles."""
        return self.settings.folder("registry")

    async def archived(self, time_ms: int) -> int:
        """Wait for the last moment up to a time that the lake is complete at, and return it."""
        until_ms = time_ms - time_ms % self.model.archiving.flush_every.ms
        await self.stage.lockstep.archived(until_ms)
        return until_ms


class Planned(NamedTuple):
    """A fault that a scenario asks for, at or after an event time; `forced` is for bundles."""

    kind: str
    time_ms: int
    forced: bool = False


class Happened(NamedTuple):
    """A fault that was done: in which event time it began, and the bundle that it made, if it made one."""

    kind: str
    time_ms: int
    digest: str = ""
    forced: bool = False
