"""The first of a swap's two phases: verify, load and warm what deployments want, backfill its windows, and say so."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import structlog

from streams.contracts.errors import BundleRefused
from streams.contracts.features import Window
from streams.contracts.records import WorkerReport
from streams.contracts.topics import topic_name
from streams.inference.session import Scorer, load
from streams.inference.store import BundleStore
from streams.inference.trial import Trials
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import NEVER
from streams.serving.board import Board
from streams.serving.config import ServedModel
from streams.serving.feed import Feed, FeedTopics
from streams.serving.history import History, Past
from streams.transport.follower import Follower
from streams.transport.publisher import Publisher
from streams.transport.records import Output, Record

logger = structlog.get_logger(__name__)


FETCH_WAIT_MS, REPLAY_FETCH_WAIT_MS = 100, 4


class Reader(NamedTuple):
    """A feed and what reads the log for it: predictions and outcomes apart, so that neither waits for the other's fetch."""

    feed: Feed
    followers: tuple[Follower, Follower]


class Preparer:
    """Brings the board to what the newest deployment wants.

    Args:
        model: what is served.
        board: what the tasks share.
        bootstrap: `host:port` of the broker.
        store: where bundles lie.
        trials: tries them before they are loaded.
        history: archived facts.
        publisher: writes the reports.
        telemetry: counts.
        epoch: names this run of the worker.
    """

    def __init__(
        self,
        model: ServedModel,
        board: Board,
        *,
        bootstrap: str,
        store: BundleStore,
        trials: Trials,
        history: History,
        publisher: Publisher,
        telemetry: Telemetry,
        epoch: str,
    ) -> None:
        self._model = model
        self._board = board
        self._bootstrap = bootstrap
        self._store = store
        self._trials = trials
        self._history = history
        self._publisher = publisher
        self._telemetry = telemetry
        self._epoch = epoch

    async def prepare(self) -> Reader | None:
        """Load and backfill what is missing, let it answer, and report per partition.

        Returns:
            The feed that took over, to be followed from now on; None when the one there is has all windows.

        Raises:
            TransportError: the log can't be read, or the report can't be written.
            LakeError: the archive can't be read.
        """
        slots, board = self._board.slots, self._board
        slots.forget(board.watermark_ms)
        loaded = [scorer for digest in slots.missing() if (scorer := await self._loaded(digest)) is not None]
        specs = dict.fromkeys([*slots.windows(), *(window for scorer in loaded for window in scorer.manifest.windows)])
        held = board.feed.specs if board.feed is not None else ()
        reader = None if set(specs) <= set(held) else await self._backfilled(tuple(specs))
        if reader is not None:
            board.feed = reader.feed
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
        if manifest.schema != self._model.schema:
            raise BundleRefused("manifest: the schema isn't the one this model is served with")
        if manifest.windows and self._model.is_observed:
            raise BundleRefused("manifest: it reads windows, and the model is served elsewhere, where nobody computes them")
        if manifest.windows and manifest.skew_ms != self._model.skew_ms:
            raise BundleRefused(f"manifest: trained with a skew of {manifest.skew_ms} ms, served with {self._model.skew_ms} ms")

    async def _backfilled(self, specs: Sequence[Window]) -> Reader:
        """Make a feed that holds every fact up to the end of the log, from the lake and then from the log."""
        model, board = self._model, self._board
        # Taken before the log is read to its end: all facts before this watermark are then in.
        reached_ms = board.feed.watermark_ms if board.feed is not None else NEVER
        horizon_ms = max(spec.range_ms + spec.delay_ms for spec in specs) + 2 * model.skew_ms
        since_ms = board.watermark_ms - horizon_ms if board.watermark_ms > horizon_ms else None
        past = await self._history(specs, since_ms)
        topics = FeedTopics(model.predictions, model.outcomes, model.partitions)
        feed = Feed(specs, skew_ms=model.skew_ms, schema=model.schema, topics=topics, skip=past.positions, reached_ms=reached_ms)
        back = self._board.config.lookback if model.replay else 0
        start = {place: max(offset - back, 0) for place, offset in past.positions.items()}
        # Partitions share a fetch, and a replay waits for the slowest; live, a tenth of a second is nothing beside the skew.
        wait_ms = REPLAY_FETCH_WAIT_MS if model.replay and model.partitions > 1 else FETCH_WAIT_MS
        predictions, outcomes = (
            Follower(self._bootstrap, [topic], start=start, fetch_wait_ms=wait_ms)
            for topic in (model.predictions, model.outcomes)
        )
        records = [*await predictions.start(), *await outcomes.start()]
        await asyncio.to_thread(_fold_all, feed, past, records)
        logger.info("WindowsBackfilled", model=model.name, windows=len(specs), facts=len(feed), log_records=len(records))
        return Reader(feed, (predictions, outcomes))


def _fold_all(feed: Feed, past: Past, records: Sequence[Record]) -> None:
    for facts in past.facts:
        feed.take(facts)
    feed.fold(records)
