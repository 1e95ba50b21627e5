"""A feed made anew: from the facts that lie in the lake, and from there on from the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import NamedTuple, Protocol

import structlog

from streams.contracts.features import Window
from streams.serving.config import ServedModel
from streams.serving.feed import Feed, FeedTopics
from streams.serving.history import History
from streams.serving.recording import Recording
from streams.serving.remembering import Remembered
from streams.transport.records import Record, position_key

logger = structlog.get_logger(__name__)


class Follower(Protocol):
    """Reads a topic; see `streams.transport.follower`."""

    lost: tuple[str, ...]
    ahead: int

    async def open(self) -> None:
        """Connect, and note the ends."""
        ...

    async def look_again(self, is_wanted: Callable[[str], bool]) -> None:
        """Note ends anew."""
        ...

    def pause(self, places: Collection[str]) -> None:
        """Read these no further."""
        ...

    def parts(self) -> AsyncGenerator[list[Record], None]:
        """Yield everything up to the ends."""
        ...

    async def skip(self, places: Collection[str]) -> dict[str, int]:
        """Go to the ends of these."""
        ...

    async def poll(self, timeout_ms: int) -> list[Record]:
        """Return what came."""
        ...

    async def stop(self) -> None:
        """Disconnect."""
        ...


Progress = Callable[[float], Awaitable[None]]
Rest = Callable[[], Awaitable[None]]
After = Callable[[int], Awaitable[None]]
Followers = tuple[Follower, ...]
"""Of predictions, outcomes and each source that is read: apart, so that none waits for another's fetch."""
Follow = Callable[[Sequence[str], Mapping[str, int]], Followers]
"""Makes what reads topics, given offsets to begin at, keyed `topic/partition`."""


class Reader(NamedTuple):
    """A feed and what reads the log for it."""

    feed: Feed
    followers: Followers


class Wanted(NamedTuple):
    """Which windows, and from when on.

    `reached_ms` is a watermark before which all facts are in the log by now; `watermark_ms` how far the rows have come that
    will be answered, `NEVER` if that isn't known. `recorded` are the partitions whose answers are kept from now on by who wants
    them, so that their predictions needn't be read any further than to now.
    """

    specs: tuple[Window, ...]
    reached_ms: int
    watermark_ms: int
    recorded: frozenset[int] = frozenset()


async def no_rest() -> None:
    """Go on at once."""


async def rebuilt(
    model: ServedModel,
    wanted: Wanted,
    *,
    follow: Follow,
    history: History,
    lookback: int,
    progress: Progress,
    rest: Rest = no_rest,
) -> Reader:
    """Make a feed, in this process.

    Args:
        model: what is served.
        wanted: the windows.
        follow: makes what reads the log.
        history: archived facts.
        lookback: offsets before the archived position that are read again, for watermarks and the last request archived.
        progress: is told which share is in of the facts that there were at the beginning.
        rest: is waited for after each part.

    Raises:
        TransportError: the log can't be read.
        LakeError: the archive can't be read.
    """
    specs, watermark_ms, topics = wanted.specs, wanted.watermark_ms, topics_of(model, wanted.specs)
    horizon_ms = max(spec.range_ms + spec.delay_ms for spec in specs) + 2 * model.skew_ms
    past = await history(specs, watermark_ms - horizon_ms if watermark_ms > horizon_ms else None)
    # A table remembers the positions in topics of former names too.
    positions = {place: offset for place, offset in past.positions.items() if place.rpartition("/")[0] in topics}
    feed = new_feed(model, specs, positions, wanted.reached_ms)
    followers = follow(topics, {place: max(offset - lookback, 0) for place, offset in positions.items()})
    try:
        for follower in followers:
            await follower.open()
        done, total = 0, past.rows + sum(follower.ahead for follower in followers)

        async def went_on(facts: int) -> None:
            nonlocal done
            done += facts
            await progress(min(done / max(total, 1), 1.0))
            await rest()

        while (part := await asyncio.to_thread(next, past.parts, None)) is not None:
            await asyncio.to_thread(feed.take, part)
            await went_on(len(part.time_ms))
        recorded = {position_key(model.predictions, number) for number in wanted.recorded}
        for follower in followers:
            await follower.look_again(lambda name: name not in recorded)
        records = await caught_up(feed, followers, after=went_on)
    except BaseException:
        for follower in followers:
            await follower.stop()
        raise
    logger.info("WindowsBackfilled", model=model.name, windows=len(specs), facts=len(feed), log_records=records)
    return Reader(feed, followers)


def new_feed(
    model: ServedModel,
    specs: Sequence[Window],
    skip: Mapping[str, int],
    reached_ms: int,
    remembered: Remembered | None = None,
) -> Feed:
    """Return a feed that goes on behind the offsets in `skip`; see `Feed`."""
    read = {spec.source for spec in specs}
    sources = {source.topic: (source.name, source.open()) for source in model.sources if source.name in read}
    return Feed(
        specs,
        skew_ms=model.skew_ms,
        schema=model.schema,
        topics=FeedTopics(model.predictions, model.outcomes, model.partitions, sources),
        skip=skip,
        reached_ms=reached_ms,
        remembered=remembered,
    )


def topics_of(model: ServedModel, specs: Sequence[Window]) -> tuple[str, ...]:
    """Return the topics that hold facts of these windows, of predictions and outcomes first."""
    read = {spec.source for spec in specs}
    return (model.predictions, model.outcomes, *(source.topic for source in model.sources if source.name in read))


async def no_more(records: int) -> None:
    """Go on at once."""


async def caught_up(feed: Feed, followers: Followers, recording: Recording | None = None, after: After = no_more) -> int:
    """Read open topics to their noted ends and fold what is there, part by part; return how many records that were.

    Of a partition of which the log goes on with what a recording has, nothing more is read: it is in the feed, or will be.

    Raises:
        TransportError: the log can't be read.
    """
    count = 0
    for follower in followers:
        _leave_recorded(feed, follower, recording)
        async with aclosing(follower.parts()) as parts:
            async for records in parts:
                await asyncio.to_thread(feed.fold, records)
                count += len(records)
                await after(len(records))
                _leave_recorded(feed, follower, recording)
    return count


def _leave_recorded(feed: Feed, follower: Follower, recording: Recording | None) -> None:
    if recording is not None:
        known = feed.known() if recording.is_whole else ()
        follower.pause({position_key(feed.predictions, number) for number in known})
