"""The inputs of one task: a mailbox for each partition, and micro-batches out of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from streams.transport.records import Record
from streams.transport.source import Place, Source


class Inputs:
    """Holds what was read ahead, and hands it over when asked.

    Args:
        source: reads the partitions, and others beside them.
        places: the partitions, as (topic, number).
        max_records: most records of one partition that are handed over at once; a mailbox with so many takes no further fetch.
    """

    def __init__(self, source: Source, places: Sequence[Place], max_records: int) -> None:
        self.places = tuple(places)
        self._source = source
        self._max_records = max_records
        self._mail: dict[Place, list[Record]] = {place: [] for place in places}
        self._cut: set[Place] = set()
        self._arrived = asyncio.Event()

    async def bounds(self) -> dict[Place, tuple[int, int]]:
        """Return the first offset and the end (behind the last committed record) of each partition."""
        return await self._source.bounds(self.places)

    def seek(self, offsets: Mapping[Place, int]) -> None:
        """Read on from these offsets and forget what was read ahead."""
        self._mail |= {place: [] for place in offsets}
        self._cut -= offsets.keys()
        self._source.seek(self, offsets)

    def leave(self) -> None:
        """Read no more."""
        self._source.leave(self)

    def deliver(self, place: Place, records: Sequence[Record]) -> bool:
        """Take what came, in order; true while there is room for more."""
        self._mail[place] += records
        self._arrived.set()
        return self._has_room(place)

    async def wait(self, seconds: float) -> bool:
        """Return true when something arrived or `wake` was called, false when neither came for some seconds."""
        try:
            async with asyncio.timeout(seconds):
                return await self._arrived.wait()
        except TimeoutError:
            return False

    def wake(self) -> None:
        """Let `wait` return."""
        self._arrived.set()

    def take(self, below: Mapping[Place, int] | None = None) -> list[Record]:
        """Hand over what is in the mailboxes; with `below` only places it names, and only records before its offsets."""
        self._arrived.clear()
        taken: list[Record] = []
        for place in self.places if below is None else below:
            records, had_room = self._mail[place], self._has_room(place)
            limit = None if below is None else below[place]
            count = len(records) if limit is None or not records or records[-1].offset < limit else _before(records, limit)
            (self._cut.add if count > self._max_records else self._cut.discard)(place)
            count = min(count, self._max_records)
            taken += records[:count]
            self._mail[place] = records[count:]
            if not had_room and self._has_room(place):
                self._source.resume(self, place)
        if self._cut:
            self._arrived.set()
        return taken

    def __len__(self) -> int:
        """Records that wait in the mailboxes."""
        return sum(map(len, self._mail.values()))

    async def position(self, place: Place) -> int:
        """Return the offset of the next record to hand over, or that the next fetch begins at."""
        if self._mail[place]:
            return self._mail[place][0].offset
        return await self._source.position(place)

    def _has_room(self, place: Place) -> bool:
        return len(self._mail[place]) < self._max_records


def _before(records: Sequence[Record], limit: int) -> int:
    return sum(record.offset < limit for record in records)
