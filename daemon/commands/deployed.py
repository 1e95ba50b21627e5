"""`driftwake slots`: what is deployed, and which partitions haven't loaded it yet."""

from __future__ import annotations

import asyncio

import msgspec

from daemon.commands.looking import known_model
from daemon.commands.ordering import broker_address
from daemon.settings import DaemonSettings
from streams.contracts.errors import StreamsError
from streams.contracts.records import CANARY, Deployment, WorkerReport
from streams.contracts.topics import topic_name
from streams.transport.deployments import DeploymentReader
from streams.transport.follower import Follower
from streams.transport.records import Record


class SlotStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One slot: its bundle, the share of the requests that it answers, and on how many partitions it is ready."""

    name: str
    digest: str
    share: float
    ready: int


class PartitionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One partition: who serves it, the newest generation it has read, bundles it hasn't loaded, and why it refused some.

    `backfilled` is the share of the archived facts that windows of what it loads have taken in.
    """

    partition: int
    worker: str
    generation: int
    missing: tuple[str, ...]
    refused: dict[str, str]
    backfilled: float = 1.0


class SlotsStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What is deployed for a model, and how far its partitions are with it."""

    model: str
    generation: int
    effective_ms: int
    reason: str
    slots: tuple[SlotStatus, ...]
    preparing: tuple[str, ...]
    partitions: tuple[PartitionStatus, ...]

    @property
    def waiting(self) -> tuple[int, ...]:
        """Partitions that haven't read the newest deployment, or haven't loaded all of it."""
        return tuple(one.partition for one in self.partitions if one.missing or one.refused or one.generation < self.generation)


def slots_of(settings: DaemonSettings, model: str) -> SlotsStatus:
    """Read what is deployed for a model.

    Raises:
        BadInputError: the config has no such model.
        TransportError: no broker answers.
        StreamsError: nothing is deployed yet.
    """
    return asyncio.run(slots_at(settings, known_model(settings, model), broker_address(settings)))


async def slots_at(settings: DaemonSettings, name: str, bootstrap: str) -> SlotsStatus:
    """Read what is deployed for a model on a broker.

    Raises:
        TransportError: no broker answers.
        StreamsError: nothing is deployed yet.
    """
    records = await _read(bootstrap)
    reader = DeploymentReader(name, settings.verifier())
    reader.read(record for record in records if record.topic == topic_name("deployments"))
    if reader.newest is None:
        raise StreamsError(f"nothing is deployed for {name} yet: `bundle` in the config names its first champion")
    reports = {report.partition: report for report in map(_report, records) if report is not None and report.model == name}
    return _status(reader.newest, reports, settings.model(name).partitions)


def _status(deployment: Deployment, reports: dict[int, WorkerReport], partitions: int) -> SlotsStatus:
    canary = deployment.canary
    weight = canary.weight if canary is not None else 0.0
    named = [(slot.name, slot.digest, 0.0) for slot in deployment.active]
    named[0] = (*named[0][:2], 1.0 - weight)
    if canary is not None:
        named.insert(1, (CANARY, canary.digest, weight))
    wanted = tuple(dict.fromkeys([*deployment.digests, *deployment.preparing]))
    return SlotsStatus(
        model=deployment.model,
        generation=deployment.generation,
        effective_ms=deployment.effective_ms,
        reason=deployment.reason,
        slots=tuple(
            SlotStatus(name=name, digest=digest, share=share, ready=sum(digest in one.ready for one in reports.values()))
            for name, digest, share in named
        ),
        preparing=deployment.preparing,
        partitions=tuple(_partition(number, reports.get(number), wanted) for number in range(partitions)),
    )


def _partition(number: int, report: WorkerReport | None, wanted: tuple[str, ...]) -> PartitionStatus:
    if report is None:
        return PartitionStatus(partition=number, worker="", generation=0, missing=wanted, refused={})
    return PartitionStatus(
        partition=number,
        worker=report.epoch,
        generation=report.generation,
        missing=tuple(digest for digest in wanted if digest not in report.ready and digest not in report.refused),
        refused={digest: report.refused[digest] for digest in wanted if digest in report.refused},
        backfilled=report.backfilled,
    )


def _report(record: Record) -> WorkerReport | None:
    if record.topic != topic_name("workers") or not record.value:
        return None
    try:
        report = msgspec.json.decode(record.value, type=WorkerReport)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return report if report.stage == "serving" else None


async def _read(bootstrap: str) -> list[Record]:
    follower = Follower(bootstrap, [topic_name("deployments"), topic_name("workers")])
    try:
        return await follower.start()
    finally:
        await follower.stop()
