"""Monitoring as a service: summaries become events. One task per model, whatever the number of partitions."""

from __future__ import annotations

import asyncio

from mode import Service

from streams.inference.store import BundleStore
from streams.monitoring.config import MonitoredModel, MonitoringConfig
from streams.monitoring.task import MonitoringTask
from streams.runtime.telemetry import Telemetry
from streams.transport.membership import Worker
from streams.transport.task import StageRunner, TaskSpec


class MonitoringStage(Service):
    """Watches one model.

    Args:
        model: what is watched.
        bootstrap: `host:port` of the broker; the model's topics exist.
        store: where bundles lie; their profiles say what is normal.
        telemetry: counts.
        config: the stage's own settings.
        worker: this worker among those that share the models; None: this one is this process's.
    """

    def __init__(
        self,
        model: MonitoredModel,
        *,
        bootstrap: str,
        store: BundleStore,
        telemetry: Telemetry,
        config: MonitoringConfig | None = None,
        worker: Worker | None = None,
    ) -> None:
        super().__init__()
        config = config or MonitoringConfig()
        self._stopping = asyncio.Event()
        self._task = MonitoringTask(model, config=config, store=store, telemetry=telemetry)
        self.runner = StageRunner(
            name="monitoring",
            model=model.name,
            bootstrap=bootstrap,
            tasks={0: TaskSpec(0, ((model.summaries, 0),), self._task)},
            state_topic=model.state,
            delivery=model.delivery,
            max_records=config.max_records,
            worker=worker,
        )

    async def on_stop(self) -> None:
        """Finish the batch in flight."""
        self._stopping.set()

    async def on_shutdown(self) -> None:
        """Close the detectors, after the loop has ended."""
        self._task.stop()

    @Service.task
    async def _watch(self) -> None:
        await self.runner.run(self._stopping)
