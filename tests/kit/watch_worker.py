"""A worker that measures and watches a model until it is killed, or stopped by SIGTERM.

`python -m tests.kit.watch_worker BOOTSTRAP MODEL REGISTRY SUFFIX NAME`; the suffix tells runs over the same predictions apart.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import NamedTuple

from streams.contracts.topics import topic_name
from streams.detectors.checks import DAY_MS, World
from streams.inference.store import BundleStore
from streams.measuring.config import MeasuredModel, MeasuringConfig
from streams.measuring.stage import MeasuringStage
from streams.monitoring.config import MonitoredModel, MonitoringConfig
from streams.monitoring.stage import MonitoringStage
from streams.runtime.telemetry import Telemetry
from streams.transport.membership import Worker
from tests.kit.fault_worker import SESSION_MS

PARTITIONS = 3


class Run(NamedTuple):
    """One run over a model's predictions and outcomes: what it writes to."""

    model: str
    suffix: str

    @property
    def summaries(self) -> str:
        """Topic of the summaries."""
        return topic_name("summaries", self.model) + self.suffix

    @property
    def events(self) -> str:
        """Topic of the events."""
        return f"{self.model}.events{self.suffix}"

    def state(self, stage: str) -> str:
        """Topic of a stage's state."""
        return topic_name("state", self.model, stage) + self.suffix


def stages_of(bootstrap: str, run: Run, registry: Path, worker: Worker | None = None) -> tuple[MeasuringStage, MonitoringStage]:
    """Make both stages. Micro-batches are small, so that much can happen between them."""
    telemetry, store = Telemetry([run.model]), BundleStore(registry)
    measured = MeasuredModel(
        run.model, World(1).manifest.schema, topic_name("predictions", run.model), topic_name("outcomes", run.model),
        run.summaries, run.state("measuring"), PARTITIONS, DAY_MS,
    )  # fmt: skip
    monitored = MonitoredModel(
        run.model, "binary", run.summaries, run.state("monitoring"), run.events, writers=PARTITIONS, bucket_ms=DAY_MS
    )
    measuring = MeasuringStage(
        measured,
        bootstrap=bootstrap,
        store=store,
        telemetry=telemetry,
        config=MeasuringConfig(max_records=100, sample_rows=100),
        worker=worker,
    )
    monitoring = MonitoringStage(
        monitored,
        bootstrap=bootstrap,
        store=store,
        telemetry=telemetry,
        config=MonitoringConfig(max_records=3, sample_rows=100),
        worker=worker,
    )
    return measuring, monitoring


async def work(bootstrap: str, run: Run, registry: Path, name: str) -> None:
    """Work until told to stop; end at once, with an error, when a stage crashes."""
    stages = stages_of(bootstrap, run, registry, Worker(name, SESSION_MS))
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    for stage in stages:
        await stage.start()
    await stages[0].wait_first(stopping.wait(), *(stage._crashed.wait() for stage in stages))
    for stage in stages:
        if stage.crashed:
            raise RuntimeError(f"{type(stage).__name__} crashed") from stage.crash_reason
        await stage.stop()


if __name__ == "__main__":
    _, bootstrap, model, registry, suffix, name = sys.argv
    asyncio.run(work(bootstrap, Run(model, suffix), Path(registry), name))
