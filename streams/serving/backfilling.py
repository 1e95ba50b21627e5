"""A feed that holds every fact up to the end of the log: from a snapshot or else from the lake, and then from the log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import structlog

from streams.contracts.features import Window
from streams.serving.config import ServedModel
from streams.serving.feed import Facts, Feed, FeedTopics
from streams.serving.history import History, Past
from streams.serving.remembering import Remembered, SnapshotFile
from streams.transport.records import Record

logger = structlog.get_logger(__name__)


class Follower(Protocol):
    """Reads a topic; see `streams.transport.follower`."""

    lost: tuple[str, ...]

    async def start(self) -> list[Record]:
        """Return everything up to the end."""
        ...

    async def poll(self, timeout_ms: int) -> list[Record]:
        """Return what came."""
        ...

    async def stop(self) -> None:
        """Disconnect."""
        ...


Progress = Callable[[float], Awaitable[None]]

_SHARE = 0.2
"""Live: of one processor, which is Python's; the rest is for answering."""

Followers = tuple[Follower, Follower]
"""Of predictions and of outcomes: apart, so that neither waits for the other's fetch."""


class Reader(NamedTuple):
    """A feed and what reads the log for it."""

    feed: Feed
    followers: Followers


class Backfill:
    """Makes feeds.

    Args:
        model: what is served.
        follow: makes what reads the log, given offsets to begin at, keyed `topic/partition`.
        history: archived facts.
        is_serving: says whether rows are being answered meanwhile.
        lookback: offsets before the archived position that a replay reads again, for watermarks alone.
        snapshot: what this worker wrote before it was started; None: nothing was.
    """

    def __init__(
        self,
        model: ServedModel,
        *,
        follow: Callable[[Mapping[str, int]], Followers],
        history: History,
        is_serving: Callable[[], bool],
        lookback: int,
        snapshot: SnapshotFile | None,
    ) -> None:
        self._model = model
        self._follow = follow
        self._history = history
        self._is_serving = is_serving
        self._lookback = lookback if model.replay else 0
        self._snapshot = snapshot

    async def reader(self, specs: Sequence[Window], reached_ms: int, watermark_ms: int, progress: Progress) -> Reader:
        """Make a feed of these windows.

        Args:
            specs: the windows.
            reached_ms: a watermark before which all facts are in the log by now.
            watermark_ms: how far the rows have come that will be answered, `NEVER` if that isn't known.
            progress: is told which share of the archived facts is in.

        Raises:
            TransportError: the log can't be read.
            LakeError: the archive can't be read.
        """
        found = await self._restored(specs, reached_ms)
        return found or await self._rebuilt(specs, reached_ms, watermark_ms, progress)

    async def _restored(self, specs: Sequence[Window], reached_ms: int) -> Reader | None:
        remembered = await asyncio.to_thread(self._snapshot.read, specs) if self._snapshot is not None else None
        ours = {self._model.predictions, self._model.outcomes}
        if remembered is None or not {place.rpartition("/")[0] for place in remembered.positions} <= ours:
            return None
        followers = self._follow(remembered.positions)
        records = await _started(followers)
        if any(follower.lost for follower in followers):
            # The log has let go of what came since, or was made anew.
            logger.warning("SnapshotUnusable", model=self._model.name, reason="the log doesn't go on where it ends")
            for follower in followers:
                await follower.stop()
            return None
        feed = self._feed(specs, remembered.positions, max(reached_ms, remembered.reached_ms), remembered)
        await asyncio.to_thread(feed.fold, records)
        logger.info("WindowsRestored", model=self._model.name, windows=len(specs), facts=len(feed), log_records=len(records))
        return Reader(feed, followers)

    async def _rebuilt(self, specs: Sequence[Window], reached_ms: int, watermark_ms: int, progress: Progress) -> Reader:
        horizon_ms = max(spec.range_ms + spec.delay_ms for spec in specs) + 2 * self._model.skew_ms
        past = await self._history(specs, watermark_ms - horizon_ms if watermark_ms > horizon_ms else None)
        feed = self._feed(specs, past.positions, reached_ms)
        await self._take(feed, past, progress)
        followers = self._follow({place: max(offset - self._lookback, 0) for place, offset in past.positions.items()})
        records = await _started(followers)
        await asyncio.to_thread(feed.fold, records)
        logger.info("WindowsBackfilled", model=self._model.name, windows=len(specs), facts=len(feed), log_records=len(records))
        return Reader(feed, followers)

    async def _take(self, feed: Feed, past: Past, progress: Progress) -> None:
        """Fold what is archived. Rows go on being answered meanwhile, and keep most of the processor."""
        done = 0
        while (taken := await asyncio.to_thread(_take_next, feed, past.parts)).rows:
            done += taken.rows
            await progress(done / past.rows)
            if self._is_serving() and not self._model.replay:
                await asyncio.sleep(taken.cpu_s * (1 / _SHARE - 1))

    def _feed(
        self, specs: Sequence[Window], skip: Mapping[str, int], reached_ms: int, remembered: Remembered | None = None
    ) -> Feed:
        model = self._model
        topics = FeedTopics(model.predictions, model.outcomes, model.partitions)
        return Feed(
            specs,
            skew_ms=model.skew_ms,
            schema=model.schema,
            topics=topics,
            skip=skip,
            reached_ms=reached_ms,
            remembered=remembered,
        )


async def _started(followers: Followers) -> list[Record]:
    predictions, outcomes = followers
    try:
        return [*await predictions.start(), *await outcomes.start()]
    except BaseException:
        await predictions.stop()
        raise


class _Taken(NamedTuple):
    """How many rows were folded, and what that took of a processor."""

    rows: int
    cpu_s: float


def _take_next(feed: Feed, parts: Iterator[Facts]) -> _Taken:
    began = time.thread_time()
    part = next(parts, None)
    if part is not None:
        feed.take(part)
    return _Taken(0 if part is None else len(part.time_ms), time.thread_time() - began)
