"""The first of a swap's two phases: verify, load and warm what deployments want, backfill its windows, and say so."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import msgspec
import structlog

from streams.contracts.bundle import Manifest
from streams.contracts.errors import BundleRefused, ContractError
from streams.contracts.features import Window
from streams.contracts.records import WorkerReport
from streams.contracts.schema import OWN_FACTS
from streams.contracts.topics import topic_name
from streams.inference.session import Scorer, load
from streams.inference.store import BundleStore
from streams.inference.trial import Trials
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import NEVER
from streams.serving.backfilling import Backfill
from streams.serving.board import Board
from streams.serving.columns import fact_columns
from streams.serving.config import ServedModel
from streams.serving.rebuilding import Reader, Wanted
from streams.serving.recording import Recording
from streams.transport.publisher import Publisher
from streams.transport.records import Output
from streams.windows.facts import grouped

logger = structlog.get_logger(__name__)

MOST_WINDOWS = 256


class Preparer:
    """Brings the board to what the newest deployment wants.

    Args:
        model: what is served.
        board: what the tasks share.
        backfill: makes the windows' feeds.
        store: where bundles lie.
        trials: tries them before they are loaded.
        publisher: writes the reports.
        telemetry: counts.
        epoch: names this run of the worker.
    """

    def __init__(
        self,
        model: ServedModel,
        board: Board,
        *,
        backfill: Backfill,
        store: BundleStore,
        trials: Trials,
        publisher: Publisher,
        telemetry: Telemetry,
        epoch: str,
    ) -> None:
        self._model = model
        self._board = board
        self._backfill = backfill
        self._store = store
        self._trials = trials
        self._publisher = publisher
        self._telemetry = telemetry
        self._epoch = epoch
        self._share = 1.0

    def reads_windows(self) -> bool:
        """Say whether a bundle that is missing reads windows."""
        manifests = (self._manifest(digest) for digest in self._board.slots.missing())
        return any(manifest.windows for manifest in manifests if manifest is not None)

    def _manifest(self, digest: str) -> Manifest | None:
        try:
            return self._store.read_manifest(self._model.name, digest)
        except BundleRefused:  # which `prepare` says
            return None

    async def prepare(self) -> Reader | None:
        """Load and backfill what is missing, let it answer, and report per partition.

        Returns:
            The feed that took over, to be followed from now on; None when the one there is has all windows.

        Raises:
            TransportError: the log can't be read, or the report can't be written.
            LakeError: the archive can't be read.
            BackfillError: the process that rebuilds windows failed.
        """
        slots, board = self._board.slots, self._board
        slots.forget(board.watermark_ms)
        loaded = [scorer for digest in slots.missing() if (scorer := await self._loaded(digest)) is not None]
        specs = {*slots.windows(), *(window for scorer in loaded for window in scorer.manifest.windows)}
        held = board.feed.specs if board.feed is not None else ()
        reader = None if specs <= set(held) else await self._backfilled(specs)
        for scorer in loaded:
            board.accept(scorer)
        board.ring()
        await self.report()
        return reader

    async def report(self) -> None:
        """Say on `driftwake.workers`, for each partition of this process, what is ready and how far it has come.

        Raises:
            TransportError: it can't be written.
        """
        slots, name = self._board.slots, self._model.name
        outputs = []
        for partition in sorted(self._board.own or ()):
            report = WorkerReport(
                stage="serving",
                model=name,
                partition=partition,
                epoch=self._epoch,
                generation=slots.generation,
                ready=tuple(sorted(slots.ready)),
                refused=dict(slots.refused),
                watermark_ms=self._board.watermarks.get(partition, NEVER),
                backfilled=self._share,
            )
            outputs.append(Output(topic_name("workers"), 0, f"serving/{name}/{partition}".encode(), msgspec.json.encode(report)))
        await self._publisher.send_many(outputs)

    async def _loaded(self, digest: str) -> Scorer | None:
        try:
            scorer = await asyncio.to_thread(self._tried, digest)
            self._check(scorer)
        except BundleRefused as error:
            self._board.slots.refuse(digest, str(error))
            self._telemetry.count("driftwake_serving_refused_bundles_total", model=self._model.name)
            logger.warning("BundleRefused", model=self._model.name, digest=digest, reason=str(error))
            return None
        logger.info("BundleLoaded", model=self._model.name, digest=digest)
        return scorer

    def _tried(self, digest: str) -> Scorer:
        """Load a bundle that a process of its own has tried; a replay knows where its bundles come from, and saves the second."""
        name, threads, is_tried = self._model.name, self._board.config.threads, not self._model.replay
        if is_tried:
            self._trials.try_bundle(self._store, name, digest)
        return load(self._store, name, digest, threads, is_tried=is_tried)

    def _check(self, scorer: Scorer) -> None:
        manifest = scorer.manifest
        if not manifest.schema.reads_like(self._model.schema):
            raise BundleRefused("manifest: the schema isn't the one this model is served with")
        if manifest.windows and self._model.is_observed:
            raise BundleRefused("manifest: it reads windows, and the model is served elsewhere, where nobody computes them")
        if manifest.windows and manifest.skew_ms != self._model.skew_ms:
            raise BundleRefused(f"manifest: trained with a skew of {manifest.skew_ms} ms, served with {self._model.skew_ms} ms")
        if len(manifest.windows) > MOST_WINDOWS:
            raise BundleRefused(f"manifest: {len(manifest.windows)} windows, at most {MOST_WINDOWS} are served")
        try:
            # By the columns as they are served: their units may have been declared since.
            grouped(manifest.windows, self._model.schema)
        except ContractError as error:
            raise BundleRefused(f"manifest: {error}") from error

    async def _backfilled(self, specs: Collection[Window]) -> Reader:
        board = self._board
        # Taken before the log is read to its end: all facts before this watermark are then in.
        reached_ms = board.feed.watermark_ms if board.feed is not None else NEVER
        # In an order that doesn't depend on what was loaded first, so that a snapshot fits after a restart.
        ordered = tuple(sorted(specs, key=lambda spec: spec.name))
        names = (name for own in OWN_FACTS for name in fact_columns(ordered, self._model.schema, own))
        recording = Recording(dict.fromkeys(names))
        # A replay's rows wait for what they should see, and its feeds know how far the log has come.
        board.recording = None if self._model.replay else recording
        recorded = (board.own or frozenset()) if board.recording is not None else frozenset()
        try:
            reader = await self._backfill.reader(Wanted(ordered, reached_ms, board.watermark_ms, recorded), self._tell, recording)
        finally:
            board.recording = None
        reader.feed.relive(recording.drain())
        if not recording.is_whole:
            # What was let go comes by the log.
            for partition in board.own or ():
                reader.feed.begin_again(partition)
        if not self._model.replay:
            reader.feed.go_live()
        board.feed = reader.feed
        self._share = 1.0
        return reader

    async def _tell(self, share: float) -> None:
        """Say how much of a backfill is done, a tenth at a time."""
        self._telemetry.set("driftwake_serving_backfill_ratio", share, model=self._model.name)
        if int(share * 10) != int(self._share * 10):
            self._share = share
            await self.report()
