"""The data plane's process: every model's stages as services under one Faust app.

`python -m streams.app --config FILE --bootstrap HOST:PORT`. Faust gives the worker, its signals and its supervision; it reads
no topic here, because where a lost or doubled record would change a number a stage owns its consumer and its transactions.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import gc
import hashlib
import importlib.metadata
import socket
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import faust
import uvloop
from faust.worker import Worker as FaustWorker
from mode import Service

from streams.archiving.decoding import Decoder
from streams.archiving.labels import LabelDecoder
from streams.archiving.looked_up import SourceDecoder
from streams.archiving.parity import Parity
from streams.archiving.stage import ArchivingStage
from streams.archiving.tables import Filed, Tables, Writer
from streams.calling.config import CallingConfig
from streams.calling.stage import CallingStage
from streams.contracts.bundle import Manifest
from streams.inference.store import BundleStore
from streams.inference.trial import Trials
from streams.joining.stage import JoiningStage
from streams.lake.lake import Lake
from streams.lake.tables import LABELS, OUTCOMES, PREDICTIONS, source_table
from streams.measuring.stage import MeasuringStage
from streams.model import ModelSettings
from streams.monitoring.stage import MonitoringStage
from streams.observing.stage import ObservingStage
from streams.runtime.clock import SystemClock
from streams.runtime.config import load
from streams.runtime.logging import Log, logging_to
from streams.runtime.memory import few_arenas
from streams.runtime.parent import end_with_parent
from streams.runtime.telemetry import Telemetry, serving_metrics
from streams.serving.stage import ServingStage
from streams.settings import StreamsSettings
from streams.transport.admin import topic_partitions
from streams.transport.counting import TaskMetrics
from streams.transport.membership import Worker

PROCESS = "streams"
_COLLECT_AFTER = 50_000
log = Log("streams.app")


class Foreign(NamedTuple):
    """How many partitions those topics of a model have that needn't have as many as its requests."""

    labels: int
    responses: int = 0
    sources: Mapping[str, int] = {}


class ParentWatch(Service):
    """Ends the process, gently, when the one that started it is gone."""

    @Service.task
    async def watch(self) -> None:
        """Wait for the end of standard input."""
        await end_with_parent()


class Counting(Service):
    """Brings what the transport counts about its tasks into `/metrics`."""

    def __init__(self, metrics: Sequence[TaskMetrics]) -> None:
        super().__init__()
        self._metrics = metrics

    @Service.timer(1.0)
    async def count(self) -> None:
        """Add what came since the last time."""
        for metrics in self._metrics:
            metrics.refresh()


def counting_of(stage: Service, model: str, telemetry: Telemetry) -> Iterator[TaskMetrics]:
    """Say whose tasks are counted under which stage's name."""
    match stage:
        case ObservingStage():
            yield TaskMetrics(telemetry, "noting", model, stage.note.counters)
            yield TaskMetrics(telemetry, "observing", model, stage.pair.counters)
        case ServingStage():
            yield TaskMetrics(telemetry, "serving", model, stage.runner.counters)
        case JoiningStage():
            yield TaskMetrics(telemetry, "joining", model, stage.match.counters)
        case MeasuringStage():
            yield TaskMetrics(telemetry, "measuring", model, stage.runner.counters)
        case MonitoringStage():
            yield TaskMetrics(telemetry, "monitoring", model, stage.runner.counters)


def stages_of(
    model: ModelSettings,
    settings: StreamsSettings,
    bootstrap: str,
    *,
    foreign: Foreign,
    trials: Trials,
    telemetry: Telemetry,
    worker: Worker | None,
) -> Iterator[Service]:
    """Build one model's stages, in the order in which a record meets them.

    A worker shares the work with all others of the model, on whatever machine; None has it all. A replay is one worker's alone:
    it waits for all of a model's partitions at every step.
    """
    worker = None if model.replay else worker
    clock, epoch = SystemClock(), uuid.uuid4().hex[:12]
    protection, key = settings.protection_of(model), settings.key_of(model)
    store, lake = BundleStore(settings.folder("registry")), Lake(settings.lake_place)
    if model.sidecar is not None:
        observed = model.observed(model.sidecar, foreign.responses, protection)
        yield ObservingStage(observed, bootstrap=bootstrap, telemetry=telemetry, config=model.sidecar, worker=worker)
    yield ServingStage(
        model.served(protection, key),
        bootstrap=bootstrap,
        store=store,
        trials=trials,
        lake=lake,
        telemetry=telemetry,
        clock=clock,
        epoch=epoch,
        verifier=settings.verifier(),
        config=model.serving,
        worker=worker,
        most_callers=settings.door.most_rows if settings.door is not None and model.sidecar is None else None,
        snapshot=None
        if model.replay
        else settings.folder("work") / "windows" / model.name / (worker.name if worker else "alone"),
    )
    yield JoiningStage(
        model.joined(foreign.labels),
        bootstrap=bootstrap,
        clock=clock,
        telemetry=telemetry,
        config=model.joining,
        worker=worker,
    )
    yield MeasuringStage(
        model.measured(), bootstrap=bootstrap, store=store, telemetry=telemetry, config=model.measuring, worker=worker
    )
    yield MonitoringStage(
        model.monitored(), bootstrap=bootstrap, store=store, telemetry=telemetry, config=model.monitoring, worker=worker
    )
    yield ArchivingStage(
        model=model.name,
        tables=archived(model, foreign, key),
        bootstrap=bootstrap,
        lake=lake,
        config=model.archiving,
        spared=functools.partial(store.lake_versions, model.name),
        replay=model.replay,
        epoch=epoch,
        clock=clock,
        telemetry=telemetry,
        worker=worker,
        parity=None if model.replay else parity_of(model, store, lake),
    )


def archived(model: ModelSettings, foreign: Foreign, key: bytes | None) -> Tables:
    """Say what of a model goes to the lake; `key` is that of protected columns.

    Labels and sources come on a topic of the user's, in which live nobody says how far they have come: boundaries don't wait for
    them. In a replay they do, so that each run makes the same files.
    """
    schema = model.schema_contract()
    ours = {table: Filed(model.topic(table), model.partitions, Decoder(schema, table)) for table in (PREDICTIONS, OUTCOMES)}
    writer: Writer | None = "source" if model.replay else None
    told = Filed(model.topic(LABELS), foreign.labels, LabelDecoder(schema), writer)
    looked_up = {
        source_table(source.name): Filed(
            source.topic,
            foreign.sources[source.name],
            SourceDecoder(schema, source.name, source.open()),
            writer,
        )
        for source in model.registered(key)
    }
    return {**ours, LABELS: told, **looked_up}


def parity_of(model: ModelSettings, store: BundleStore, lake: Lake) -> Parity:
    """Build what compares a model's served windows with its lake."""

    def manifest(digest: str) -> Manifest:
        return store.read_manifest(model.name, digest)

    return Parity(model.name, model.schema_contract(), lake=lake, manifest=manifest, config=model.archiving)


def build(services: list[Service], bootstrap: str, loop: asyncio.AbstractEventLoop) -> faust.App:
    """Make the Faust app that starts, supervises and stops the services, and nothing else."""

    class Boot(faust.App.BootStrategy):
        """Starts the services instead of Faust's own consumer, producer, tables and web."""

        def server(self) -> list[Service]:
            """Return what runs."""
            return [*self.sensors(), *services]

    class StreamsApp(faust.App):
        """The shell."""

        BootStrategy = Boot

    app = StreamsApp(f"driftwake-{PROCESS}", broker=f"kafka://{bootstrap}", web_enabled=False, loop=loop)
    app.finalize()
    return app


def worker_of(settings: StreamsSettings, number: int) -> Worker:
    """Name a worker apart from all others: by its machine, its data folder and its number there."""
    folder = hashlib.sha256(str(settings.data_dir.resolve()).encode()).hexdigest()[:8]
    return Worker(f"{socket.gethostname()}-{folder}-{number}", settings.broker.session.ms)


def run(settings: StreamsSettings, bootstrap: str, *, number: int = 1, with_parent: bool) -> None:
    """Run all stages of all models until a signal, or until the parent is gone.

    Args:
        settings: what to run.
        bootstrap: `host:port` of the broker.
        number: of this worker among those with the same data folder, from 1 on.
        with_parent: whether to end when standard input does.

    Raises:
        SystemExit: always at the end; 1 when a stage crashed.
    """
    few_arenas()
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    telemetry = Telemetry([model.name for model in settings.models])
    with serving_metrics(telemetry, settings.metrics.host, metrics_port(settings, number)) as port:
        log.info("MetricsServed", port=port)
        foreign = loop.run_until_complete(_foreign_topics(settings, bootstrap))
        services: list[Service] = [ParentWatch()] if with_parent else []
        counted: list[TaskMetrics] = []
        trials = Trials()
        for model in settings.models:
            stages = list(
                stages_of(
                    model,
                    settings,
                    bootstrap,
                    foreign=foreign[model.name],
                    trials=trials,
                    telemetry=telemetry,
                    worker=worker_of(settings, number),
                )
            )
            services += stages
            counted += [metrics for stage in stages for metrics in counting_of(stage, model.name, telemetry)]
        services.append(Counting(counted))
        if settings.door is not None:
            services.append(door_of(settings.door, number, services))
        app = build(services, bootstrap, loop)
        shell = FaustWorker(app, loop=loop, quiet=True, redirect_stdouts=False, override_logging=False)
        spare_collector()
        shell.execute_from_commandline()


def door_of(config: CallingConfig, number: int, services: Sequence[Service]) -> CallingStage:
    """Open a door to all models that this worker serves; the next worker's has the next port."""
    stages = [service for service in services if isinstance(service, ServingStage)]
    return CallingStage(
        {stage.model: stage.behind for stage in stages if stage.behind is not None},
        config=config,
        number=number,
        clock=SystemClock(),
        version=importlib.metadata.version("driftwake"),
    )


def metrics_port(settings: StreamsSettings, number: int) -> int:
    """Return the port of a worker's metrics: the first has the config's, the daemon the next, further workers those above."""
    port = settings.metrics.port
    return port if number == 1 or port == 0 else port + number


def spare_collector() -> None:
    """Take all that is loaded by now out of garbage collections (it stays until the end anyway), and collect less often.

    Every full collection visits it otherwise, about 0.1 s in which nothing is answered. Measured on serving: 9 of 21
    microseconds a record, 0.8 after the freeze and none at a threshold that a micro-batch of short-lived records stays under.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)


async def _foreign_topics(settings: StreamsSettings, bootstrap: str) -> Mapping[str, Foreign]:
    return {model.name: await _foreign_of(model, bootstrap) for model in settings.models}


async def _foreign_of(model: ModelSettings, bootstrap: str) -> Foreign:
    responses = model.sidecar.responses if model.sidecar is not None else None
    labels = await topic_partitions(bootstrap, model.topic("labels"))
    sources = {name: await topic_partitions(bootstrap, source.topic) for name, source in model.sources.items()}
    return Foreign(labels, await topic_partitions(bootstrap, responses) if responses is not None else 0, sources)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m streams.app", description="The data plane of driftwake")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--bootstrap", required=True, help="host:port of the broker")
    parser.add_argument("--number", type=int, default=1, help="of this worker among those with the same data_dir, from 1 on")
    parser.add_argument("--with-parent", action="store_true", help="stop when standard input ends")
    given = parser.parse_args()
    settings = load(StreamsSettings, given.config, only_part=True).settings
    work(settings, given.bootstrap, given.number, with_parent=given.with_parent)


def work(settings: StreamsSettings, bootstrap: str, number: int, *, with_parent: bool) -> None:
    """Be a worker, with a log of its own.

    Raises:
        SystemExit: at the end; 1 when a stage crashed.
    """
    process = PROCESS if number == 1 else f"{PROCESS}-{number}"
    with logging_to(settings.folder("logs"), process, level=settings.log.level), contextlib.suppress(KeyboardInterrupt):
        run(settings, bootstrap, number=number, with_parent=with_parent)


if __name__ == "__main__":
    main()
