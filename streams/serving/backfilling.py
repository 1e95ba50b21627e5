"""A feed that holds every fact up to the end of the log: from a snapshot, which another process makes where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from streams.serving.config import ServedModel
from streams.serving.feed import Feed
from streams.serving.history import History
from streams.serving.rebuilding import Follow, Progress, Reader, Wanted, caught_up, new_feed, rebuilt, topics_of
from streams.serving.recording import Recording
from streams.serving.remembering import Remembered, SnapshotFile

logger = structlog.get_logger(__name__)

_ROUNDS, _FEW = 8, 4
"""Batches that are folded at once, since more come while a thread is started."""

Rebuild = Callable[[Wanted, Progress], Awaitable[Remembered | None]]
"""Has a feed made elsewhere, and returns what it left, None when that is of no use."""


class Backfill:
    """Makes feeds.

    Args:
        model: what is served.
        follow: makes what reads the log.
        history: archived facts.
        lookback: offsets before the archived position that a replay reads again, for watermarks alone.
        snapshot: what this worker wrote before it was started; None: nothing was.
        rebuild: makes feeds in a process of their own; None: they are made in this one, and answering is slower meanwhile.
    """

    def __init__(
        self,
        model: ServedModel,
        *,
        follow: Follow,
        history: History,
        lookback: int,
        snapshot: SnapshotFile | None,
        rebuild: Rebuild | None,
    ) -> None:
        self._model = model
        self._follow = follow
        self._history = history
        self._lookback = lookback if model.replay else 0
        self._snapshot = snapshot
        self._rebuild = rebuild

    async def reader(self, wanted: Wanted, progress: Progress, recording: Recording) -> Reader:
        """Make a feed of these windows.

        Args:
            wanted: which.
            progress: is told which share of the facts is in.
            recording: of what is answered meanwhile. What is left in it at the end is still to be folded; where it isn't whole,
                nothing is.

        Raises:
            TransportError: the log can't be read.
            LakeError: the archive can't be read.
            BackfillError: the process that rebuilds them failed.
        """
        kept = await asyncio.to_thread(self._snapshot.read, wanted.specs) if self._snapshot is not None else None
        found = await self._restored(kept, wanted, recording)
        if found is None and self._rebuild is not None:
            found = await self._restored(await self._rebuild(wanted, progress), wanted, recording)
        if found is None:
            recording.give_up()  # the log has it too, and was read to its end
            wanted = wanted._replace(recorded=frozenset())
            follow, history, lookback = self._follow, self._history, self._lookback
            found = await rebuilt(self._model, wanted, follow=follow, history=history, lookback=lookback, progress=progress)
        await asyncio.to_thread(found.feed.warm)
        await relive_all(found.feed, recording)
        return found

    async def _restored(self, remembered: Remembered | None, wanted: Wanted, recording: Recording) -> Reader | None:
        model, specs = self._model, wanted.specs
        topics = topics_of(model, specs)
        if remembered is None:
            return None
        if not {place.rpartition("/")[0] for place in remembered.positions} <= {*topics}:
            logger.warning("SnapshotUnusable", model=model.name, reason="it is of topics of other names")
            return None
        followers = self._follow(topics, remembered.positions)
        feed = new_feed(model, specs, remembered.positions, max(wanted.reached_ms, remembered.reached_ms), remembered)
        for follower in followers:
            await follower.open()
        if any(follower.lost for follower in followers):
            # The log has let go of what came since, or was made anew.
            logger.warning("SnapshotUnusable", model=model.name, reason="the log doesn't go on where it ends")
            for follower in followers:
                await follower.stop()
            return None
        await relive_all(feed, recording)
        records = await caught_up(feed, followers, recording)
        logger.info("WindowsRestored", model=model.name, windows=len(specs), facts=len(feed), log_records=records)
        return Reader(feed, followers)


async def relive_all(feed: Feed, recording: Recording) -> None:
    """Fold what was answered so far, but for what comes while the last of it is folded."""
    answered = recording.drain()
    for _ in range(_ROUNDS):
        if len(answered) <= _FEW:
            break
        await asyncio.to_thread(feed.relive, answered)
        answered = recording.drain()
    feed.relive(answered)
