"""The source of a replay: one bucket of virtual time at a time, in lockstep with every stage.

A bucket's requests and labels are written, then its watermark to every partition of both topics. The next bucket is
released when the daemon has reported that watermark: by then every record of the bucket has passed serving, joining,
measuring and monitoring, and the daemon waits for a later time. So the speed of the machine changes no result.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pandas as pd

from daemon.errors import DaemonError
from streams.contracts.records import Label, Request, WorkerReport
from streams.runtime.clock import WallClock, text_of
from streams.runtime.watermark import SOURCE, watermark_record
from streams.transport.follower import Follower
from streams.transport.publisher import Publisher
from streams.transport.records import Output, Record


class ReplayStalledError(DaemonError):
    """A stage didn't come as far as the replay must wait for, in time."""


class Bucket(NamedTuple):
    """Rows of one bucket of virtual time, [start, end); the first has older records of sources too."""

    start_ms: int
    end_ms: int
    requests: pd.DataFrame
    labels: pd.DataFrame
    sources: Mapping[str, pd.DataFrame] = {}

    @property
    def tables(self) -> list[pd.DataFrame]:
        """All of them."""
        return [self.requests, self.labels, *self.sources.values()]


def buckets(
    requests: pd.DataFrame,
    labels: pd.DataFrame,
    sources: Mapping[str, pd.DataFrame] = MappingProxyType({}),
    *,
    since_ms: int,
    until_ms: int,
    bucket_ms: int,
) -> Iterator[Bucket]:
    """Cut requests and labels in [since, until), and records of sources before `until`, into buckets; empty ones are skipped.

    All tables have `time_ms` and are sorted by it.
    """
    edges = np.append(np.arange(since_ms, until_ms, bucket_ms), until_ms)
    tables = [requests, labels, *sources.values()]
    cuts = [np.searchsorted(table["time_ms"].to_numpy(), edges) for table in tables]
    for of_source in cuts[2:]:
        of_source[0] = 0
    for i, (start, end) in enumerate(itertools.pairwise(edges.tolist())):
        some = [table.iloc[cut[i] : cut[i + 1]] for table, cut in zip(tables, cuts, strict=True)]
        if any(map(len, some)):
            yield Bucket(start, end, some[0], some[1], dict(zip(sources, some[2:], strict=True)))


class Lockstep:
    """Releases buckets and waits until the whole system has digested each.

    `events_topic` is what the daemon reads: it is told there how far a bucket goes, so that it doesn't act at the watermarks
    inside of it. `reports` follows `driftwake.workers`; `patience_seconds` is how long one bucket may take by the wall, a
    retraining of the daemon included. `step_ms` must not be longer than the model's skew: a row waits for facts up to the skew
    before it, so watermarks are also written inside a bucket that is longer. None: buckets aren't.

    Raises:
        ReplayStalledError: a bucket took longer than that.
    """

    def __init__(
        self,
        *,
        publisher: Publisher,
        reports: Follower,
        clock: WallClock,
        model: str,
        requests_topic: str,
        labels_topic: str,
        events_topic: str,
        sources: Mapping[str, str] = MappingProxyType({}),
        partitions: int,
        step_ms: int | None = None,
        patience_seconds: float = 600.0,
    ) -> None:
        self._publisher = publisher
        self._reports = reports
        self._clock = clock
        self._keys = {f"{stage}/{model}/0".encode(): stage for stage in ("daemon", "archiving")}
        self._generations = {f"serving/{model}/{partition}".encode(): 0 for partition in range(partitions)}
        self._topics = (requests_topic, labels_topic)
        self._events, self._model = events_topic, model
        self._sources = sources
        self._partitions = partitions
        self._step_ms = step_ms
        self._patience_seconds = patience_seconds
        self._encoder = msgspec.json.Encoder()
        self.reported_ms = -1
        self._archived_ms = -1
        self._reported = 0

    @property
    def served_generation(self) -> int:
        """The newest generation that serving has read on every partition: rows released from now on can be answered by it."""
        return min(self._generations.values())

    async def release(self, bucket: Bucket) -> None:
        """Write a bucket and its watermark, and return when the daemon has reported it.

        Where empty buckets were left out, event time is first brought to the bucket's start: a row may need facts up to
        shortly before it, and only a watermark says that there are none.
        """
        await self.advance(bucket.start_ms)
        key, value, headers = watermark_record(f"{SOURCE}/{self._model}", bucket.end_ms)
        await self._publisher.send_many([Output(self._events, 0, key, value, headers)])
        written = [list(self._rows(self._topics[0], bucket.requests)), list(self._labels(bucket.labels))]
        written += [list(self._rows(self._sources[name], table)) for name, table in bucket.sources.items()]
        outputs: list[Output] = []
        for start_ms, step in self._steps(bucket):
            outputs += self._watermarks(start_ms) if start_ms > bucket.start_ms else []
            outputs += [output for some, part in zip(written, step, strict=True) for output in some[part]]
        await self._publisher.send_many(outputs + self._watermarks(bucket.end_ms))
        await self._wait_for(bucket.end_ms)

    def _steps(self, bucket: Bucket) -> Iterator[tuple[int, list[slice]]]:
        """Cut a bucket where rows need facts from within it: the start of each step that has any row, and which of each table."""
        length_ms = min(self._step_ms or bucket.end_ms, bucket.end_ms - bucket.start_ms)
        edges = np.arange(bucket.start_ms, bucket.end_ms + length_ms, length_ms)
        cuts = np.stack([np.searchsorted(table["time_ms"].to_numpy(), edges) for table in bucket.tables])
        cuts[:, 0] = 0
        for i in np.flatnonzero((np.diff(cuts) > 0).any(axis=0)).tolist():
            yield int(edges[i]), [slice(cut[i], cut[i + 1]) for cut in cuts]

    async def advance(self, watermark_ms: int) -> None:
        """Bring event time to a point without any row, and return when the daemon has reported it."""
        if watermark_ms > self.reported_ms:
            await self._publisher.send_many(self._watermarks(watermark_ms))
            await self._wait_for(watermark_ms)

    def _rows(self, topic: str, table: pd.DataFrame) -> Iterator[Output]:
        """Write requests, or records of a source, which are written alike."""
        names = [name for name in table.columns if name not in ("id", "time_ms")]
        columns = (table["id"].tolist(), table["time_ms"].tolist(), *(_values(table[name]) for name in names))
        for identity, time_ms, *row in zip(*columns, strict=True):
            key = str(identity).encode()
            value = self._encoder.encode(Request(str(identity), int(time_ms), dict(zip(names, row, strict=True))))
            yield Output(topic, zlib.crc32(key) % self._partitions, key, value)

    def _labels(self, table: pd.DataFrame) -> Iterator[Output]:
        columns = (table[name].tolist() for name in ("id", "label", "time_ms"))
        for identity, label, time_ms in zip(*columns, strict=True):
            key = str(identity).encode()
            value = self._encoder.encode(Label(str(identity), float(label), int(time_ms)))
            # On purpose another partitioner than the requests': users' label topics have their own, and joining re-keys.
            yield Output(self._topics[1], zlib.adler32(key) % self._partitions, key, value)

    def _watermarks(self, watermark_ms: int) -> list[Output]:
        key, value, headers = watermark_record(SOURCE, watermark_ms)
        topics = (*self._topics, *self._sources.values())
        return [Output(topic, partition, key, value, headers) for topic in topics for partition in range(self._partitions)]

    async def breathe(self) -> None:
        """Read the reports that are there, waiting a moment for the first."""
        for record in await self._reports.poll(timeout_ms=20):
            self._learn(record)

    async def settled(self, order: Awaitable[None]) -> None:
        """Write an order to the daemon, and return when it has done what it could at the present event time.

        An order that is only written would be found now or some buckets later, as the machine pleases.

        Raises:
            ReplayStalledError: that takes too long.
        """
        await self.breathe()
        before = self._reported
        await order
        await self._until(lambda: self._reported > before, "that the daemon acts on an order")

    async def archived(self, until_ms: int) -> None:
        """Wait until the lake is complete up to an event time.

        Raises:
            ReplayStalledError: that takes too long.
        """
        await self._until(lambda: self._archived_ms >= until_ms, f"that the lake is complete up to {text_of(until_ms)}")

    async def _wait_for(self, watermark_ms: int) -> None:
        await self._until(lambda: self.reported_ms >= watermark_ms, f"that the daemon reports {text_of(watermark_ms)}")

    async def _until(self, is_true: Callable[[], bool], what: str) -> None:
        deadline = self._clock.monotonic() + self._patience_seconds
        while not is_true():
            for record in await self._reports.poll(timeout_ms=1_000):
                self._learn(record)
            if self._clock.monotonic() > deadline:
                raise ReplayStalledError(
                    f"waited {self._patience_seconds:.0f} s {what}; the daemon reported {text_of(max(self.reported_ms, 0))}, "
                    f"the archive {text_of(max(self._archived_ms, 0))}; the logs say what a stage waits for"
                )

    def _learn(self, record: Record) -> None:
        if not record.value or record.key is None:
            return
        if record.key in self._generations:
            self._generations[record.key] = msgspec.json.decode(record.value, type=WorkerReport).generation
        if record.key not in self._keys:
            return
        watermark_ms = msgspec.json.decode(record.value, type=WorkerReport).watermark_ms
        if self._keys[record.key] == "daemon":
            self.reported_ms = max(self.reported_ms, watermark_ms)
            self._reported += 1
        else:
            self._archived_ms = max(self._archived_ms, watermark_ms)


def _values(column: pd.Series) -> list[Any]:
    """Return a column's values as a request holds them: what is missing is None."""
    values: list[Any] = column.tolist()
    return [None if value != value else value for value in values] if column.hasnans else values  # noqa: PLR0124 - NaN is missing
