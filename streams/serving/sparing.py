"""Predictions of this process's own partitions aren't read back: they are folded when they are answered.

Reading them costs as much as computing a dozen windows. They are read on from where it was left as soon as another worker may
have answered. So that this isn't long ago, it is moved on now and then: everything below an end of the log is this process's own
if its producer could commit after that end was seen, because who takes a partition over fences the producer first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Protocol

import structlog

from streams.contracts.errors import TransportError
from streams.serving.feed import Feed
from streams.transport.records import position_key

logger = structlog.get_logger(__name__)

_EVERY_SECONDS = 1.0
_COMMITS = 2
"""The first that ends after an end was seen may have begun before."""


class Follower(Protocol):
    """Reads the predictions; see `streams.transport.follower`."""

    async def look_again(self, is_wanted: Callable[[str], bool]) -> None:
        """Note ends anew."""
        ...

    def pause(self, places: Collection[str]) -> None:
        """Read these no further."""
        ...

    async def skip(self, places: Collection[str]) -> dict[str, int]:
        """Go to the ends of these."""
        ...


class Sparing:
    """Says what of the predictions is read, for one stage.

    Args:
        commits: returns how many transactions the task of a partition has committed in this process.
        monotonic: returns seconds.
    """

    def __init__(self, commits: Callable[[int], int], monotonic: Callable[[], float]) -> None:
        self._commits = commits
        self._monotonic = monotonic
        self._feed: Feed | None = None
        self._spared: frozenset[int] | None = None
        self._seen: dict[int, int] = {}
        self._seen_s = -math.inf

    async def look(self, feed: Feed, follower: Follower, own: Collection[int]) -> None:
        """Leave out what this process answers alone, read on what it doesn't, and move on in what is left out.

        Args:
            feed: which has folded what was answered.
            follower: reads the predictions for it.
            own: the partitions of this process.
        """
        if feed is not self._feed:
            self._feed, self._spared, self._seen = feed, None, {}
        spared = frozenset(feed.known() & {*own})
        if spared != self._spared:
            follower.pause(_names(feed, spared))
            self._spared = spared
        self._seen = {partition: count for partition, count in self._seen.items() if partition in spared}
        proven = {partition for partition, count in self._seen.items() if self._commits(partition) >= count + _COMMITS}
        if proven:
            feed.skip(await follower.skip(_names(feed, proven)))
            self._seen = {partition: count for partition, count in self._seen.items() if partition not in proven}
        unseen = spared - self._seen.keys()
        if unseen and self._monotonic() - self._seen_s >= _EVERY_SECONDS:
            self._seen_s = self._monotonic()
            try:
                await follower.look_again(_names(feed, unseen).__contains__)
            except TransportError as error:
                logger.warning("EndsUnknown", topic=feed.predictions, error=str(error))
                return
            # Counted after the ends were told: a commit in flight by then proves nothing.
            self._seen |= {partition: self._commits(partition) for partition in unseen}


def _names(feed: Feed, partitions: Collection[int]) -> set[str]:
    return {position_key(feed.predictions, number) for number in partitions}
