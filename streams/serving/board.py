"""What all tasks of one model share in a process: slots, facts, progress; and the bell that rings when any of it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple

from streams.contracts.errors import StreamsError
from streams.contracts.schema import ModelSchema
from streams.inference.session import Scorer
from streams.runtime.watermark import NEVER
from streams.serving.config import ServingConfig
from streams.serving.door import Door
from streams.serving.feed import Feed, Heard
from streams.serving.progress import Progress
from streams.serving.recording import Recording
from streams.serving.slots import Slots
from streams.serving.suspicion import Suspicion


class Behind(NamedTuple):
    """A model behind a door: its columns, its state in this process, and who waits."""

    schema: ModelSchema
    board: Board
    door: Door


class StageClosed(StreamsError):  # noqa: N818 - says what happened; nothing went wrong
    """The stage stops while a task waits; the batch is answered after the next start."""


class Board:
    """The shared state of one model's tasks. It belongs to one event loop.

    Args:
        schema: the model's columns.
        config: the stage's settings.
        slots: deployments and loaded bundles.
        progress: live event time.
        replay: whether rows wait for slower inputs.

    Attributes:
        feed: the windows' facts, once there are windows.
        door: who waits for answers, where callers may.
        own: the partitions that this process answers; None before it knows.
        watermarks: how far each of them has come in event time.
        heard: how far others said that theirs have come.
        recording: keeps what is answered while a feed is made; None: none is.
    """

    def __init__(self, *, schema: ModelSchema, config: ServingConfig, slots: Slots, progress: Progress, replay: bool) -> None:
        self.schema = schema
        self.config = config
        self.slots = slots
        self.progress = progress
        self.replay = replay
        self.feed: Feed | None = None
        self.recording: Recording | None = None
        self.door: Door | None = None
        self.own: frozenset[int] | None = None
        self.watermarks: dict[int, int] = {}
        self.heard: dict[int, int] = {}
        self.marked = 0
        self._suspicions: dict[str, Suspicion] = {}
        self._bell = asyncio.Event()
        self._is_closed = False

    def share(self, partitions: frozenset[int]) -> None:
        """Note which partitions this process answers from now on; what it knew of others is over."""
        self.own = partitions
        self.watermarks = {number: self.watermarks[number] for number in self.watermarks if number in partitions}
        self.ring()

    @property
    def is_restored(self) -> bool:
        """Whether every partition of this process has told how far it came; false while it has none."""
        return bool(self.own) and self.watermarks.keys() == self.own

    def accept(self, scorer: Scorer) -> None:
        """Let a bundle that is loaded, warm and backfilled answer rows."""
        self._suspicions[scorer.digest] = Suspicion(self.schema, scorer.profile, self.config.range_factor)
        self.slots.accept(scorer)
        self.ring()

    def suspicions(self) -> Mapping[str, Suspicion]:
        """Return the bounds of each ready bundle by digest, as they are now."""
        self._suspicions = {digest: self._suspicions[digest] for digest in self.slots.ready}
        return self._suspicions

    def goes_on(self, generation: int) -> bool:
        """Whether a partition that a generation has answered can be answered without going back to the one before."""
        return self.slots.is_serving and self.slots.is_decided(generation)

    def answers(self, time_ms: int, heard: Heard | None = None) -> bool:
        """Whether a row at this time can be answered now, with everything it should see; `heard` as in `Feed.covers`.

        Live, it needn't see all: nothing waits for anything but a champion. In a replay a row also waits for slower inputs of
        its windows and for bundles of its generation that are still being prepared, so that the speed of the machine changes no
        result.
        """
        if not self.replay:
            return self.slots.is_serving
        covered = self.feed is None or self.feed.covers(time_ms, heard)
        return covered and self.slots.is_serving and self.slots.is_settled(time_ms)

    @property
    def watermark_ms(self) -> int:
        """How far this process's partitions have come in event time, or those it will be given; `NEVER` when none has said."""
        return min((self.watermarks or self.heard).values(), default=NEVER)

    def ring(self) -> None:
        """Wake up whoever waits."""
        self._bell.set()
        self._bell = asyncio.Event()

    def close(self) -> None:
        """End all waiting: the stage stops."""
        self._is_closed = True
        self.ring()

    async def until(self, is_true: Callable[[], bool]) -> None:
        """Wait until something is true.

        Raises:
            StageClosed: the stage stops.
        """
        while not is_true():
            if self._is_closed:
                raise StageClosed("stopping while a row waits for its inputs")
            await self._bell.wait()

    def explain(self, time_ms: int) -> str:
        """Say what a row at this time waits for."""
        if not self.slots.is_serving:
            return f"no champion is deployed and ready (refused: {dict(self.slots.refused)})"
        if self.feed is not None and not self.feed.covers(time_ms):
            return (
                f"windows: a row at {time_ms} needs all facts up to the skew before it, but predictions and outcomes have "
                f"only reached {self.feed.watermark_ms}; a source must write a watermark at least every skew of event time"
            )
        return f"bundles of generation {self.slots.generation} are still being prepared"
