"""A real serving stage on a real broker: its topics, its requests, its deployments and what it wrote. Also a child process.

`python -m tests.kit.serving BOOTSTRAP MODEL REGISTRY [SNAPSHOT]` serves until it is killed.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from streams.contracts.features import Window
from streams.contracts.records import Canary, Deployment, Prediction, Rejected, Slot, WorkerReport
from streams.contracts.topics import TABLE, topic_name
from streams.dialects import native
from streams.inference.store import BundleStore
from streams.inference.trial import Trials
from streams.lake.lake import Lake
from streams.runtime.clock import SystemClock
from streams.runtime.signing import Signer, Verifier
from streams.runtime.telemetry import Telemetry
from streams.runtime.watermark import read_watermark, watermark_record
from streams.serving.config import ServedModel, ServingConfig
from streams.serving.stage import ServingStage
from streams.transport.admin import ensure_topics
from streams.transport.deployments import deployment_output
from streams.transport.follower import Follower
from streams.transport.membership import Worker
from streams.transport.publisher import Publisher
from streams.transport.records import Output, Record
from tests.kit.bundles import SCHEMA, make_bundle, rows_of

PARTITIONS = 2
SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(b"a key that the tests' daemon has"))
SKEW_MS = 60_000


def served(model: str, *, replay: bool) -> ServedModel:
    """Describe a model of the tests' schema."""
    names = {kind: topic_name(kind, model) for kind in ("requests", "predictions", "outcomes")}
    state = topic_name("state", model, "serving")
    return ServedModel(
        name=model, schema=SCHEMA, **names, state=state, partitions=PARTITIONS, skew_ms=SKEW_MS, lateness_ms=0, replay=replay
    )


async def make_topics(bootstrap: str, model: str) -> None:
    """Make every topic that serving a model needs."""
    own = {topic_name(kind, model): TABLE[kind] for kind in ("requests", "predictions", "outcomes")}
    shared = {topic_name(kind): TABLE[kind] for kind in ("deployments", "workers", "quarantine")}
    await ensure_topics(bootstrap, {**own, **shared, topic_name("state", model, "serving"): TABLE["state"]}, PARTITIONS)


def stage_of(
    bootstrap: str,
    model: str,
    registry: Path,
    *,
    replay: bool,
    lake: Lake | None = None,
    worker: Worker | None = None,
    most_callers: int | None = None,
    snapshot: Path | None = None,
    described: ServedModel | None = None,
    **config: float,
) -> ServingStage:
    """Build a stage; the name of its worker is also its epoch."""
    return ServingStage(
        described or served(model, replay=replay),
        bootstrap=bootstrap,
        store=BundleStore(registry),
        trials=Trials(),
        lake=lake,
        telemetry=Telemetry([model]),
        clock=SystemClock(),
        epoch=worker.name if worker is not None else uuid.uuid4().hex,
        verifier=Verifier([SIGNER.public]),
        config=ServingConfig(**config),
        worker=worker,
        most_callers=most_callers,
        snapshot=snapshot,
    )


@asynccontextmanager
async def running(stage: ServingStage) -> AsyncIterator[ServingStage]:
    """Start a stage and stop it at the end."""
    await stage.start()
    try:
        yield stage
    finally:
        await stage.stop()


class Watcher:
    """Follows what a model's serving writes, until something is true of it."""

    def __init__(self, bootstrap: str, model: str) -> None:
        self._model = model
        topics = [topic_name("predictions", model), topic_name("quarantine"), topic_name("workers")]
        self._follower = Follower(bootstrap, topics)
        self.predictions: list[Prediction] = []
        self.rejected: list[Rejected] = []
        self.reports: dict[int, WorkerReport] = {}
        self.markers: list[dict] = []
        self.watermarks: dict[tuple[int, str], int] = {}
        self.looked = asyncio.Event()

    async def start(self) -> None:
        """Connect and read what is there."""
        self._note(await self._follower.start())

    async def stop(self) -> None:
        """Disconnect."""
        await self._follower.stop()

    async def until(self, is_true: Callable[[Watcher], bool], seconds: float = 60.0) -> None:
        """Read on until something is true."""
        async with asyncio.timeout(seconds):
            while not is_true(self):
                self._note(await self._follower.poll(200))

    async def look(self) -> None:
        """Take in what there is, and wait a moment where there is nothing."""
        self._note(await self._follower.poll(20))
        self.looked.set()
        self.looked = asyncio.Event()

    def answered(self) -> list[tuple[int, int]]:
        """Return (partition, offset) of each prediction and rejection, sorted, repeats included."""
        return sorted([*((p.partition, p.offset) for p in self.predictions), *((r.partition, r.offset) for r in self.rejected)])

    def _note(self, records: Iterable[Record]) -> None:
        for record in records:
            watermark = read_watermark(record.key, record.headers)
            if record.topic == topic_name("workers"):
                report = msgspec.json.decode(record.value or b"", type=WorkerReport)
                if report.model == self._model:
                    self.reports[report.partition] = report
            elif record.topic == topic_name("quarantine"):
                if record.key == self._model.encode():
                    self.rejected.append(msgspec.json.decode(record.value or b"", type=Rejected))
            elif watermark is not None:
                self.watermarks[record.partition, watermark[0]] = watermark[1]
            elif record.headers:
                self.markers.append(msgspec.json.decode(record.value or b""))
            else:
                self.predictions.append(msgspec.json.decode(record.value or b"", type=Prediction))


class Bench:
    """A model of its own on the session's broker."""

    def __init__(self, bootstrap: str, model: str, registry: Path) -> None:
        self.bootstrap = bootstrap
        self.model = model
        self.registry = registry
        self.publisher = Publisher(bootstrap)
        self.watcher = Watcher(bootstrap, model)
        self._rows = rows_of(997, seed=7)

    def bundle(self, seed: int, windows: tuple[Window, ...] = ()) -> str:
        return make_bundle(self.registry, model=self.model, seed=seed, windows=windows, skew_ms=SKEW_MS)

    def columns(self, number: int) -> dict:
        return {name: values[number % 997] for name, values in self._rows.items()}

    def request(self, number: int, time_ms: int) -> Output:
        value = native.example(f"r{number}", time_ms, self.columns(number)).value
        return Output(f"{self.model}.requests", number % PARTITIONS, b"k%d" % number, value)

    async def send(self, *outputs: Output) -> None:
        await self.publisher.send_many(outputs)

    async def reach(self, time_ms: int, *topics: str) -> None:
        """Write watermarks, as a replay's source (requests) or the join (outcomes) does."""
        outputs = []
        for topic in topics or ("requests",):
            for number in range(PARTITIONS):
                key, value, headers = watermark_record("source" if topic == "requests" else str(number), time_ms)
                outputs.append(Output(f"{self.model}.{topic}", number, key, value, headers))
        await self.send(*outputs)

    async def reported(self, generation: int) -> None:
        await self.watcher.until(
            lambda w: len(w.reports) == PARTITIONS and all(report.generation >= generation for report in w.reports.values())
        )


def number_of(prediction: Prediction) -> int:
    return prediction.offset * PARTITIONS + prediction.partition


async def deploy(
    publisher: Publisher,
    model: str,
    generation: int,
    champion: str,
    effective_ms: int = 0,
    *,
    preparing: tuple[str, ...] = (),
    canary: Canary | None = None,
    **shadows: str,
) -> None:
    """Publish a deployment."""
    active = (Slot(name="champion", digest=champion), *(Slot(name=name, digest=digest) for name, digest in shadows.items()))
    record = Deployment(
        model=model,
        generation=generation,
        active=active,
        preparing=preparing,
        effective_ms=effective_ms,
        reason="test",
        canary=canary,
    )
    await publisher.send(deployment_output(record, SIGNER))


async def serve_until_killed(bootstrap: str, model: str, registry: Path, snapshot: Path | None = None) -> None:
    """Serve with small micro-batches and many snapshots, so that a kill falls among them."""
    stage = stage_of(bootstrap, model, registry, replay=False, snapshot=snapshot, max_records=20, snapshot_s=0.05)
    async with running(stage):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve_until_killed(sys.argv[1], sys.argv[2], *map(Path, sys.argv[3:])))
