"""The serving stage as a service: deployments, facts and requests in; predictions and reports out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import structlog
from mode import Service

from streams.contracts.errors import BackfillError, LakeError, cause_of
from streams.contracts.records import WorkerReport
from streams.contracts.topics import topic_name
from streams.dialects.base import Dialect, Limits
from streams.inference.store import BundleStore
from streams.inference.trial import Trials
from streams.lake.lake import Lake
from streams.runtime.clock import WallClock
from streams.runtime.plugins import load_kind
from streams.runtime.signing import Verifier
from streams.runtime.telemetry import Telemetry
from streams.serving.backfilling import Backfill
from streams.serving.board import Behind, Board, StageClosed
from streams.serving.config import ServedModel, ServingConfig
from streams.serving.door import Door
from streams.serving.elsewhere import Elsewhere
from streams.serving.foreign import Versions
from streams.serving.history import lake_history, no_history
from streams.serving.preparing import Preparer
from streams.serving.progress import Progress
from streams.serving.reading import AnsweredDialect
from streams.serving.rebuilding import Reader
from streams.serving.remembering import SnapshotFile
from streams.serving.slots import Slots
from streams.serving.sparing import Sparing
from streams.serving.task import Places, ServingTask
from streams.transport.deployments import DeploymentReader
from streams.transport.follower import Follower
from streams.transport.membership import Worker
from streams.transport.publisher import Publisher
from streams.transport.records import Record, Result
from streams.transport.task import StageRunner, TaskSpec

logger = structlog.get_logger(__name__)

_POLL_MS = 200
_OWN_TOPICS = 2
_REPORT_SECONDS = 5.0
_RETRY_SECONDS = 15.0
_TIDY_SECONDS = 0.5
_FETCH_WAIT_MS, _REPLAY_FETCH_WAIT_MS = 100, 4


class ServingStage(Service):
    """Answers the requests of one model, on all partitions or on this worker's share of them.

    Deployments are read to the end before the first batch and followed from then on. A bundle answers rows only after it was
    verified, loaded, warmed and its windows were backfilled; then its workers' reports say `ready`.

    Args:
        model: what is served.
        bootstrap: `host:port` of the broker; the model's topics exist.
        store: where bundles lie.
        trials: tries them before they are loaded; ended when the stage ends.
        lake: where facts are archived; None: nowhere.
        telemetry: counts.
        clock: real time.
        epoch: names this run of the worker in its reports.
        verifier: knows who may deploy.
        config: the stage's own settings.
        worker: this worker among those that share the partitions; None: all are this process's.
        most_callers: rows that callers may wait for at once; None: nobody can call.
        snapshot: the file in which this worker keeps what its windows hold, now and then, and beside which a process of its own
            leaves what it rebuilt; None: it is rebuilt at each start, in this process.
    """

    def __init__(
        self,
        model: ServedModel,
        *,
        bootstrap: str,
        store: BundleStore,
        trials: Trials,
        lake: Lake | None,
        telemetry: Telemetry,
        clock: WallClock,
        epoch: str,
        verifier: Verifier,
        config: ServingConfig | None = None,
        worker: Worker | None = None,
        most_callers: int | None = None,
        snapshot: Path | None = None,
    ) -> None:
        super().__init__()
        self._model = model
        self._bootstrap = bootstrap
        self._telemetry = telemetry
        self._config = config or ServingConfig()
        self._board = self._make_board()
        self._publisher = Publisher(bootstrap, f"driftwake.{model.name}.serving.reports")
        self._callers = Publisher(bootstrap, f"driftwake.{model.name}.door")
        if most_callers is not None:
            self._board.door = Door(model.schema, model.requests, self._callers.send_many, most_callers)
        # What others say is news only where others share the partitions.
        topics = ["deployments"] if worker is None else ["deployments", "workers"]
        self._news = Follower(bootstrap, [topic_name(kind) for kind in topics])
        self._deployments = DeploymentReader(
            model.name,
            verifier,
            lambda reason: telemetry.count("driftwake_serving_ignored_deployments_total", model=model.name, reason=reason),
        )
        self._reader: Reader | None = None
        self._followers: list[Follower] = []
        self._new_reader = asyncio.Event()
        self._may_join = asyncio.Event()
        self._stopping = asyncio.Event()
        self._reported: dict[int, int] = {}
        self._reported_s = 0.0
        self._not_before_s = 0.0
        self._trials = trials
        self._snapshot = SnapshotFile(snapshot, model.schema, model.skew_ms) if snapshot is not None else None
        self._preparer = Preparer(
            model,
            self._board,
            backfill=self._make_backfill(lake, snapshot),
            store=store,
            trials=trials,
            publisher=self._publisher,
            telemetry=telemetry,
            epoch=epoch,
        )
        self._clock = clock
        self._is_shared = worker is not None
        self._tasks = self._make_tasks(clock)
        self.runner = self._make_runner(worker)
        self._sparing = self._make_sparing()

    async def on_start(self) -> None:
        """Connect what writes reports, and callers' requests."""
        await self._publisher.start()
        if self._board.door is not None:
            await self._callers.start()

    async def on_stop(self) -> None:
        """End all waiting; the batches in flight are finished."""
        self._stopping.set()
        self._new_reader.set()
        self._may_join.set()
        self._board.close()

    async def on_shutdown(self) -> None:
        """Disconnect, after all loops have ended."""
        for task in self._tasks.values():
            task.close()
        await self._keep()
        await asyncio.to_thread(self._trials.close)
        await self._news.stop()
        for follower in self._followers:
            await follower.stop()
        await self._publisher.stop()
        if self._board.door is not None:
            await self._callers.stop()

    @property
    def model(self) -> str:
        """The model's name."""
        return self._model.name

    @property
    def behind(self) -> Behind | None:
        """What a door opens to; None where nobody can call."""
        door = self._board.door
        return None if door is None else Behind(self._model.schema, self._board, door)

    @Service.task
    async def _follow_deployments(self) -> None:
        self._learn(await self._news.start())
        if self._is_shared and self._preparer.reads_windows():
            # Others answer until this process knows all that its share of the rows should see.
            await self._prepare()
        self._may_join.set()
        try:
            # The tasks' own state knows how far they came, and deployments that the compacted topic has lost.
            await self._board.until(lambda: self._board.is_restored)
        except StageClosed:
            return
        await self._prepare()
        while not self.should_stop:
            has_new = self._learn(await self._news.poll(_POLL_MS))
            if has_new or (self._board.slots.missing() and self._clock.monotonic() >= self._not_before_s):
                await self._prepare()
            elif self._is_report_due():
                await self._preparer.report()

    @Service.task
    async def _follow_all_facts(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for which in range(_OWN_TOPICS + len(self._model.sources)):
                    group.create_task(self._follow_facts(which))
        except BaseExceptionGroup as errors:
            raise cause_of(errors) from errors

    @Service.task
    async def _keep_windows(self) -> None:
        while not self.should_stop:
            await self.sleep(self._config.snapshot_s)
            await self._keep()

    @Service.task
    async def _tidy_windows(self) -> None:
        while not self.should_stop:
            await self.sleep(_TIDY_SECONDS)
            feed = self._board.feed
            if feed is not None and not self._model.replay:
                feed.evict()
                self._telemetry.set("driftwake_serving_window_facts", len(feed), model=self._model.name)
            while feed is not None and (upkeep := feed.due()) is not None and not self.should_stop:
                await asyncio.to_thread(upkeep.make)
                upkeep.settle()

    async def _keep(self) -> None:
        """Write what the windows hold; where that fails they are only rebuilt later."""
        feed = self._board.feed
        kept = feed.kept() if self._snapshot is not None and feed is not None else None
        if self._snapshot is None or kept is None:
            return
        with self._telemetry.timing("driftwake_serving_snapshot_seconds", model=self._model.name):
            try:
                size = await asyncio.to_thread(self._snapshot.write, kept)
            except OSError as error:
                logger.warning("SnapshotFailed", model=self._model.name, reason=str(error))
                return
        self._telemetry.set("driftwake_serving_snapshot_bytes", size, model=self._model.name)

    @Service.task
    async def _answer_requests(self) -> None:
        await self._may_join.wait()
        try:
            await self.runner.run(self._stopping)
        except StageClosed:
            logger.info("RequestsLeftWaiting", model=self._model.name)

    async def _follow_facts(self, which: int) -> None:
        while not self.should_stop:
            reader = self._reader
            if reader is None or which >= len(reader.followers):
                await self._new_reader.wait()
                continue
            follower = reader.followers[which]
            if which == 0 and self._sparing is not None:
                await self._sparing.look(reader.feed, follower, self._board.own or ())
            records = await follower.poll(_POLL_MS)
            if reader is not self._reader:
                # A newer feed has taken over; nobody reads this one any more.
                await follower.stop()
            elif records:
                reader.feed.fold(records)
                reader.feed.evict()
                self._telemetry.set("driftwake_serving_window_facts", len(reader.feed), model=self._model.name)
                self._board.ring()

    async def _prepare(self) -> None:
        try:
            reader = await self._preparer.prepare()
        except (LakeError, BackfillError) as error:
            if self._model.replay:
                raise
            # What answers goes on answering.
            logger.warning("BackfillFailed", model=self._model.name, reason=str(error))
            self._not_before_s = self._clock.monotonic() + _RETRY_SECONDS
            return
        if reader is not None:
            if self._sparing is None:
                reader.followers[0].pause(())
            # The loops that follow facts stop the old followers when they find new ones in their place.
            self._reader = reader
            self._new_reader.set()
            self._new_reader = asyncio.Event()

    def _learn(self, records: Sequence[Record]) -> bool:
        """Note new deployments of this model, true when there was one, and what other workers say."""
        for record in records:
            if record.topic == topic_name("workers"):
                self._hear(record)
        found = self._deployments.read(record for record in records if record.topic == topic_name("deployments"))
        news = [self._board.slots.learn(deployment) for deployment in found]
        return any(news)

    def _hear(self, record: Record) -> None:
        """Note how far a partition has come that another worker answers."""
        try:
            report = msgspec.json.decode(record.value or b"", type=WorkerReport)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        of_others = (
            range(self._model.partitions) if self._board.own is None else set(range(self._model.partitions)) - self._board.own
        )
        if (report.stage, report.model) == ("serving", self._model.name) and report.partition in of_others:
            self._board.progress.hear(report.partition, report.watermark_ms, self._clock.monotonic())
            self._board.heard[report.partition] = report.watermark_ms

    def _is_report_due(self) -> bool:
        """Whether others should hear again: of other partitions at once, of event time that has come further now and then."""
        now_s, said = self._clock.monotonic(), dict(self._board.watermarks)
        is_late = now_s - self._reported_s >= _REPORT_SECONDS and said != self._reported
        if said.keys() == self._reported.keys() and not is_late:
            return False
        self._reported, self._reported_s = said, now_s
        return True

    async def _on_idle(self, number: int) -> Result | None:
        return self._tasks[number].idle()

    def _make_board(self) -> Board:
        model, config = self._model, self._config
        progress = Progress(
            range(model.partitions),
            lateness_ms=model.lateness_ms,
            idle_after_ms=config.idle_after_ms,
            every_ms=config.watermark_every_ms,
        )
        return Board(schema=model.schema, config=config, slots=Slots(config.max_bundles), progress=progress, replay=model.replay)

    def _make_backfill(self, lake: Lake | None, snapshot: Path | None) -> Backfill:
        model, elsewhere = self._model, None
        if snapshot is not None:
            place, path = lake.root if lake is not None else None, snapshot.with_name(f"{snapshot.name}.rebuilt")
            elsewhere = Elsewhere(model, bootstrap=self._bootstrap, lake=place, path=path)
        return Backfill(
            model,
            follow=self._follow,
            history=lake_history(lake, model.name, model.schema) if lake is not None else no_history,
            lookback=self._config.lookback,
            snapshot=self._snapshot,
            rebuild=elsewhere.rebuild if elsewhere is not None else None,
        )

    def _follow(self, topics: Sequence[str], start: Mapping[str, int]) -> tuple[Follower, ...]:
        model = self._model
        # Partitions share a fetch, and a replay waits for the slowest; live, a tenth of a second is nothing beside the skew.
        wait_ms = _REPLAY_FETCH_WAIT_MS if model.replay and model.partitions > 1 else _FETCH_WAIT_MS
        made = tuple(Follower(self._bootstrap, [topic], start=start, fetch_wait_ms=wait_ms) for topic in topics)
        # A backfill may end before its reader is anybody's, and a reader's loops before they have let go of the one before.
        self._followers = [*(follower for follower in self._followers if follower.is_open), *made]
        return made

    def _make_tasks(self, clock: WallClock) -> dict[int, ServingTask]:
        model = self._model
        versions = Versions(model.versions) if model.is_observed else None
        places = Places(model.name, model.predictions, versions, model.protection, notes_receipt=model.notes_receipt)
        return {
            number: ServingTask(
                number, places=places, dialect=self._dialect(), board=self._board, clock=clock, telemetry=self._telemetry
            )
            for number in range(model.partitions)
        }

    def _dialect(self) -> Dialect:
        model = self._model
        if model.is_observed:
            return AnsweredDialect(model.schema)
        return load_kind("streams.dialects", model.dialect).open_dialect(model.schema, Limits(), model.dialect_options)

    def _make_sparing(self) -> Sparing | None:
        model, counters = self._model, self.runner.counters
        if model.replay or model.delivery != "exactly_once":
            return None  # a replay hears by the log how far it has come; else nobody is fenced
        return Sparing(lambda number: counters[number].transactions, self._clock.monotonic)

    def _make_runner(self, worker: Worker | None) -> StageRunner:
        model = self._model
        return StageRunner(
            name="serving",
            model=model.name,
            bootstrap=self._bootstrap,
            tasks={number: TaskSpec(number, ((model.requests, number),), task) for number, task in self._tasks.items()},
            state_topic=model.state,
            delivery=model.delivery,
            max_records=self._config.max_records,
            idle_ms=_POLL_MS,
            on_idle=self._on_idle,
            worker=worker,
            on_share=self._board.share,
        )
