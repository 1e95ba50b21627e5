"""The measuring stage as a service."""

from __future__ import annotations

import asyncio

import structlog
from mode import Service

from streams.contracts.bundle import Profile
from streams.contracts.errors import BundleRefused
from streams.inference.store import BundleStore
from streams.measuring.config import MeasuredModel, MeasuringConfig
from streams.measuring.task import MeasuringTask
from streams.runtime.telemetry import Telemetry
from streams.transport.membership import Worker
from streams.transport.task import StageRunner, TaskSpec

logger = structlog.get_logger(__name__)

_MOST_PROFILES = 64


class StoredProfiles:
    """Profiles of one model's bundles, each read once. A bundle never changes, so nothing is ever stale."""

    def __init__(self, store: BundleStore, model: str) -> None:
        self._store = store
        self._model = model
        self._known: dict[str, Profile | None] = {}

    def profile(self, digest: str) -> Profile | None:
        """Return a bundle's profile; None when it can't be read, which is logged once."""
        if digest not in self._known:
            while len(self._known) >= _MOST_PROFILES:
                self._known.pop(next(iter(self._known)))
            self._known[digest] = self._read(digest)
        return self._known[digest]

    def _read(self, digest: str) -> Profile | None:
        try:
            return self._store.read(self._model, digest).profile
        except BundleRefused as error:
            logger.warning("ReferenceUnreadable", model=self._model, digest=digest[:12], error=str(error))
            return None


class MeasuringStage(Service):
    """Sums up one model's predictions and outcomes, all partitions.

    Args:
        model: what is measured.
        bootstrap: `host:port` of the broker; the model's topics exist.
        store: where the bundles' references are.
        telemetry: counts.
        config: the stage's own settings.
        worker: this worker among those that share the tasks; None: all are this process's.
    """

    def __init__(
        self,
        model: MeasuredModel,
        *,
        bootstrap: str,
        store: BundleStore,
        telemetry: Telemetry,
        config: MeasuringConfig | None = None,
        worker: Worker | None = None,
    ) -> None:
        super().__init__()
        config = config or MeasuringConfig()
        self._stopping = asyncio.Event()
        profiles = StoredProfiles(store, model.name)
        tasks = {
            number: MeasuringTask(number, model=model, config=config, profiles=profiles, telemetry=telemetry)
            for number in range(model.partitions)
        }
        self.runner = StageRunner(
            name="measuring",
            model=model.name,
            bootstrap=bootstrap,
            tasks={
                number: TaskSpec(number, ((model.predictions, number), (model.outcomes, number)), task)
                for number, task in tasks.items()
            },
            state_topic=model.state,
            delivery=model.delivery,
            max_records=config.max_records,
            worker=worker,
        )

    async def on_stop(self) -> None:
        """Let the batches in flight finish."""
        self._stopping.set()

    @Service.task
    async def _measure(self) -> None:
        await self.runner.run(self._stopping)
