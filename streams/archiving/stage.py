"""Archiving: what was predicted, what became of it and what was told moves from the log to the lake, each row once."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping

import msgspec
import structlog
from mode import Service

from streams.archiving.buffers import Batch, Buffers
from streams.archiving.config import ArchivingConfig
from streams.archiving.decoding import Decoded
from streams.archiving.maintenance import Maintenance, Spared
from streams.archiving.parity import Parity
from streams.archiving.progress import Progress
from streams.archiving.tables import Tables, expected
from streams.contracts.errors import BundleRefused, ContractError, LakeError, cause_of
from streams.contracts.events import encode_event
from streams.contracts.records import WorkerReport
from streams.contracts.topics import topic_name
from streams.lake.lake import Lake
from streams.lake.tables import LABELS
from streams.runtime.clock import WallClock
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import NEVER
from streams.transport.commits import LIBRARY_ERRORS
from streams.transport.inputs import Inputs, Place
from streams.transport.membership import Assigned, Membership, Worker
from streams.transport.publisher import Publisher
from streams.transport.quarantine import refused
from streams.transport.records import Output, by_topic

log = structlog.get_logger()

_WAIT_SECONDS = 0.5
_STOP_SECONDS = 30.0


class ArchivingStage(Service):
    """Follows a model's topics and writes them to its tables.

    The tables themselves say up to where they were written, so there is no other state: a killed stage reads on from
    there. A boundary is reported on `driftwake.workers` only after everything before it is in all tables that take part in it,
    and reported again after a restart.

    Args:
        model: the model's name.
        tables: what is archived; at least one table.
        bootstrap: `host:port` of the broker.
        lake: where to write; this process is the tables' one writer.
        config: the stage's settings.
        spared: asked which versions of the tables stay readable, because a lineage names them.
        replay: whether only event time counts.
        epoch: names this run in its reports.
        clock: the wall clock.
        telemetry: where rows and commits are counted.
        worker: this worker among those that could archive, of which one does; None: there is only this one.
        parity: compares what served with what is archived; None: nobody does.
    """

    def __init__(
        self,
        *,
        model: str,
        tables: Tables,
        bootstrap: str,
        lake: Lake,
        config: ArchivingConfig,
        spared: Spared,
        replay: bool,
        epoch: str,
        clock: WallClock,
        telemetry: Telemetry,
        worker: Worker | None = None,
        parity: Parity | None = None,
    ) -> None:
        super().__init__()
        self._model = model
        self._parity = parity
        self._boundary_ms = NEVER
        self._has_boundary = asyncio.Event()
        # No boundary waits for these, so what is compared has to.
        self._unsaid = {filed.topic for table, filed in tables.items() if filed.writer is None and table != LABELS}
        self._stored: dict[Place, int] = {}
        self._has_stored = asyncio.Event()
        self._tables = tables
        self._table_of = {filed.topic: table for table, filed in tables.items()}
        self._lake = lake
        self._config = config
        self._replay = replay
        self._epoch = epoch
        self._clock = clock
        self._telemetry = telemetry
        self._maintenance = Maintenance(
            lake, model, tuple(tables), config, spared=spared, replay=replay, clock=clock, telemetry=telemetry
        )
        places = [place for filed in tables.values() for place in filed.places]
        name = f"driftwake.archiving.{model}"
        self._new_inputs = functools.partial(Inputs, bootstrap, places, name, config.max_records)
        self._inputs = self._new_inputs()
        self._publisher = Publisher(bootstrap, name)
        self._finished = asyncio.Event()
        # Who has the first partition of the first table's topic is the one who archives all.
        group = f"driftwake.{model}.archiving.workers"
        self._membership = Membership(bootstrap, group=group, topic=places[0][0], worker=worker) if worker else None
        self._is_chosen = asyncio.Event()

    async def on_stop(self) -> None:
        """Let the stage write what it holds."""
        self._is_chosen.set()
        self._inputs.wake()
        async with asyncio.timeout(_STOP_SECONDS):
            await self._finished.wait()

    @Service.task
    async def archive(self) -> None:
        """Read, hold, write, while it is this worker that archives, until stopped."""
        try:
            await self._publisher.start()
            async with asyncio.TaskGroup() as group:
                if self._membership is None:
                    self._is_chosen.set()
                else:
                    following = group.create_task(self._membership.follow(self._share))
                while not self.should_stop:
                    await self._is_chosen.wait()
                    if not self.should_stop:
                        await self._archive()
                if self._membership is not None:
                    following.cancel()
        except BaseExceptionGroup as errors:
            raise cause_of(errors) from errors
        finally:
            self._finished.set()
            await self._publisher.stop()

    def _share(self, shares: Assigned) -> None:
        if 0 in shares:
            self._is_chosen.set()
        else:
            self._is_chosen.clear()
            self._inputs.wake()

    async def _archive(self) -> None:
        """Go on behind what the tables hold, until stopped or until another worker archives."""
        self._inputs = self._new_inputs()
        try:
            await self._inputs.start()
            buffers = await self._resume()
            async with asyncio.TaskGroup() as group:
                pumps = [group.create_task(self._inputs.pump(place)) for place in self._inputs.places]
                pumps.append(group.create_task(self._compare_beside()))
                await self._follow(buffers)
                for pump in pumps:
                    pump.cancel()
        finally:
            await self._inputs.stop()

    async def _resume(self) -> Buffers:
        """Go on behind what the tables hold."""
        stored: dict[str, int] = {}
        marks: dict[str, dict[str, int]] = {}
        for table, filed in self._tables.items():
            await asyncio.to_thread(self._lake.fit, self._model, table, filed.decoder.schema)
            stored |= await asyncio.to_thread(self._lake.positions, self._model, table)
            marks[filed.topic] = await asyncio.to_thread(self._lake.marks, self._model, table)
        await self._seek(stored)
        every_ms = self._config.flush_every.ms if self._replay else None
        progress = Progress(expected(self._tables), every_ms, marks)
        return Buffers(self._config, progress, stored, replay=self._replay, now_s=self._clock.monotonic())

    async def _seek(self, stored: Mapping[str, int]) -> None:
        wanted = by_topic(stored)
        starts = {}
        for place, (first, end) in (await self._inputs.bounds()).items():
            start = wanted.get(place, first)
            if start > end:
                raise LakeError(
                    f"the lake has {place[0]} partition {place[1]} up to {start}, but the topic ends at {end}: it was made anew; "
                    f"move the folder {self._model}/{self._table_of[place[0]]} out of the lake, or give the topic another name"
                )
            if start < first:
                log.warning("RecordsMissed", model=self._model, topic=place[0], partition=place[1], missed=first - start)
            starts[place] = max(start, first)
        self._inputs.seek(starts)

    async def _follow(self, buffers: Buffers) -> None:
        while not self.should_stop and self._is_chosen.is_set():
            buffers.take(self._inputs.take())
            if buffers.is_due(self._clock.monotonic()):
                await self._flush(buffers)
            if not buffers.is_full:
                await self._inputs.wait(_WAIT_SECONDS)
        if self._is_chosen.is_set():
            await self._flush(buffers)

    async def _flush(self, buffers: Buffers) -> None:
        stored = {place: await self._inputs.position(place) for place in self._inputs.places if place[0] in self._unsaid}
        batches, boundary_ms = buffers.drain(self._clock.monotonic())
        for batch in batches:
            await self._store(batch)
        self._stored = stored
        self._has_stored.set()
        if boundary_ms is not None:
            # Before the report, which lets a replay's daemon read: its tables have the same versions in every run.
            if self._maintenance.is_due(boundary_ms):
                await asyncio.to_thread(self._maintenance.run, boundary_ms)
            await self._report(boundary_ms)
            self._boundary_ms = boundary_ms
            self._has_boundary.set()

    async def _store(self, batch: Batch) -> None:
        table = self._table_of[batch.topic]
        decoded = await asyncio.to_thread(self._tables[table].decoder.decode, batch.records)
        await self._quarantine(decoded)
        with self._telemetry.timing("driftwake_archiving_commit_seconds", model=self._model):
            await asyncio.to_thread(self._lake.append, self._model, table, decoded.rows, batch.positions, batch.marks)
        self._telemetry.count("driftwake_archiving_rows_total", len(decoded.rows), model=self._model, table=table)

    async def _quarantine(self, decoded: Decoded) -> None:
        now_ms = int(self._clock.now().timestamp() * 1_000)
        outputs = [
            refused(record, model=self._model, reason="undecodable", detail=detail, quarantined_ms=now_ms)
            for record, detail in decoded.undecodable
        ]
        await self._publisher.send_many(outputs)

    async def _report(self, boundary_ms: int) -> None:
        report = WorkerReport(stage="archiving", model=self._model, partition=0, epoch=self._epoch, watermark_ms=boundary_ms)
        key = f"archiving/{self._model}/0".encode()
        await self._publisher.send(Output(topic_name("workers"), 0, key, msgspec.json.encode(report)))

    async def _compare_beside(self) -> None:
        """Compare at boundaries; archiving doesn't wait for it."""
        while True:
            await self._has_boundary.wait()
            self._has_boundary.clear()
            if self._parity is not None and self._parity.is_due(boundary_ms := self._boundary_ms):
                await self._compare(self._parity, boundary_ms)

    async def _until_stored(self) -> None:
        """Wait until what registered sources have said by now is in the lake too."""
        ends = {place: end for place, (_, end) in (await self._inputs.bounds()).items() if place[0] in self._unsaid}
        while any(self._stored.get(place, 0) < end for place, end in ends.items()):
            self._has_stored.clear()
            await self._has_stored.wait()

    async def _compare(self, parity: Parity, boundary_ms: int) -> None:
        """Say where what served differs from what is archived; where that can't be seen, archiving goes on."""
        try:
            await self._until_stored()
            checked = await asyncio.to_thread(parity.look, boundary_ms)
        except (LakeError, BundleRefused, ContractError, *LIBRARY_ERRORS) as error:
            log.warning("ParityUnknown", model=self._model, error=str(error))
            return
        for result, count in (("same", checked.values - checked.different), ("different", checked.different)):
            self._telemetry.count("driftwake_archiving_parity_total", count, model=self._model, result=result)
        await self._publisher.send_many([Output(topic_name("events"), 0, *encode_event(event)) for event in checked.events])
