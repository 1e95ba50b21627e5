"""One stage alone in a process of its own, as `streams.app` runs it: `python -m tests.bench.worker STAGE BOOTSTRAP MODEL FOLDER`.

Prints one line of JSON whenever the number of records it has committed reaches `--goal`, and ends with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import psutil
import uvloop
from faust.worker import Worker as FaustWorker
from mode import Service

from streams.app import Foreign, ParentWatch, build, spare_collector, stages_of
from streams.archiving.stage import ArchivingStage
from streams.inference.trial import Trials
from streams.joining.stage import JoiningStage
from streams.measuring.stage import MeasuringStage
from streams.runtime.logging import logging_to
from streams.runtime.memory import few_arenas
from streams.runtime.telemetry import Telemetry, serving_metrics
from streams.serving import task
from streams.serving.stage import ServingStage
from streams.settings import StreamsSettings
from streams.transport.membership import Worker
from tests.kit.serving import SIGNER

PARTITIONS = 4
FEATURES = tuple(f"f{number}" for number in range(20))
KEYS = ("customer", "terminal")
STAGES = {"serving": ServingStage, "joining": JoiningStage, "measuring": MeasuringStage, "archiving": ArchivingStage}
_SAMPLE_SECONDS = 0.05


def settings_of(model: str, folder: Path, delivery: str = "exactly_once", keys: Iterable[str] = ()) -> StreamsSettings:
    """The config of the benchmark: everything at its default, and live; deployments are the test kit's."""
    columns = [{"name": name, "kind": "number"} for name in FEATURES]
    columns += [{"name": name, "kind": "category", "role": "key"} for name in keys]
    models = [{"name": model, "schema": {"columns": columns}, "partitions": PARTITIONS, "delivery": delivery}]
    trust = {"deployment_keys": [SIGNER.public]}
    return StreamsSettings.model_validate({"data_dir": folder, "models": models, "trust": trust})


class Brief(msgspec.Struct, gc=False):
    """The fields of an answer that a plain loop writes, to see what all the others cost."""

    id: str
    time_ms: int
    score: float
    digest: str


def brief(*fields: Any) -> Brief:
    """Take the place of `Served`."""
    identity, _, _, time_ms, _, _, score, digest = fields[:8]
    return Brief(identity, time_ms, score, digest)


class Meter(Service):
    """Counts what the stage has committed, the processor time from the first commit on, and the most memory at any time."""

    def __init__(self, stage: Service, telemetry: Telemetry, goal: int) -> None:
        super().__init__()
        self._stage = stage
        self._telemetry = telemetry
        self._goal = goal
        self._peak = 0

    @Service.task
    async def _measure(self) -> None:
        process = psutil.Process()
        first = await self._until(process, 1)
        began, cpu = asyncio.get_running_loop().time(), sum(process.cpu_times()[:2])
        last = await self._until(process, self._goal)
        seconds = asyncio.get_running_loop().time() - began
        said = {"rows": last, "rate": (last - first) / max(seconds, 1e-9), "peak_mib": self._peak / 2**20}
        said["cpu_us"] = 1e6 * (sum(process.cpu_times()[:2]) - cpu) / max(last - first, 1)
        sys.stdout.write(f"\n{json.dumps(said)}\n")
        sys.stdout.flush()

    async def _until(self, process: psutil.Process, rows: int) -> int:
        while True:
            self._peak = max(self._peak, process.memory_info().rss)
            if (done := self._committed()) >= rows:
                return done
            await asyncio.sleep(_SAMPLE_SECONDS)

    def _committed(self) -> int:
        if isinstance(self._stage, ArchivingStage):
            metrics = self._telemetry.registry.collect()
            return int(
                sum(one.value for metric in metrics for one in metric.samples if one.name == "driftwake_archiving_rows_total")
            )
        runner = self._stage.match if isinstance(self._stage, JoiningStage) else self._stage.runner
        return sum(task.records for task in runner.counters.values())


def run(services: Iterable[Service], bootstrap: str, loop: asyncio.AbstractEventLoop) -> None:
    """Run them until a signal."""
    app = build(list(services), bootstrap, loop)
    worker = FaustWorker(app, loop=loop, quiet=True, redirect_stdouts=False, override_logging=False)
    spare_collector()
    worker.execute_from_commandline()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("bootstrap")
    parser.add_argument("model")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--goal", type=int, required=True, help="records until the line is printed")
    parser.add_argument("--delivery", default="exactly_once")
    parser.add_argument("--name", help="of this worker among those that share the partitions; all are its own unless given")
    parser.add_argument("--keys", action="store_true", help="requests have the keys of windows")
    parser.add_argument("--brief", action="store_true", help="write four fields an answer")
    parser.add_argument("--profile", type=Path, help="where the profile of the event loop's thread goes")
    given = parser.parse_args()
    settings = settings_of(given.model, given.folder, given.delivery, KEYS if given.keys else ())
    few_arenas()
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    telemetry = Telemetry([given.model])
    worker = Worker(given.name) if given.name else None
    stages = stages_of(
        settings.models[0],
        settings,
        given.bootstrap,
        foreign=Foreign(PARTITIONS),
        trials=Trials(),
        telemetry=telemetry,
        worker=worker,
    )
    if given.brief:
        # No setting of the product: only this bench wants to know what four fields would cost.
        vars(task).update(Served=brief)
    stage = next(stage for stage in stages if isinstance(stage, STAGES[given.stage]))
    profile = cProfile.Profile()
    with logging_to(settings.folder("logs"), given.stage, level="warning"), serving_metrics(telemetry):
        if given.profile:
            profile.enable()
        try:
            run([ParentWatch(), stage, Meter(stage, telemetry, given.goal)], given.bootstrap, loop)
        finally:
            if given.profile:
                profile.disable()
                profile.dump_stats(given.profile)


if __name__ == "__main__":
    main()
