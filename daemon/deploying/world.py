"""What deploying sees of the data plane and does to it. Kafka is behind it in `stage.py`; tests have a double in `tests/kit`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from daemon.ledger.audit import Head
from streams.contracts.records import Deployment, WorkerReport

Reports = tuple[WorkerReport, ...]


class World(Protocol):
    """The data plane of one model.

    Called by one task at a time. The daemon is the only writer of the model's deployments; it writes the next generation only
    after it has seen the one before.
    """

    async def deployment(self) -> Deployment | None:
        """Return the newest deployment, read up to the end of its topic; None before the first."""
        ...

    async def publish(self, deployment: Deployment) -> None:
        """Write a deployment; on return it is durable.

        Raises:
            TransportError: it may not have been written.
        """
        ...

    async def until(self, condition: Callable[[Reports], bool], seconds: float) -> bool:
        """Wait until the workers' newest reports fulfil a condition; false when that takes longer than `seconds` of wall time."""
        ...

    def reports(self) -> Reports:
        """Return the newest report of each worker, as read so far."""
        ...

    async def report(self, watermark_ms: int, head: Head) -> None:
        """Say how far the daemon has come in event time, and publish the audit's head."""
        ...


def of_stage(reports: Iterable[WorkerReport], stage: str) -> list[WorkerReport]:
    """The reports of one stage."""
    return [report for report in reports if report.stage == stage]


def has_archived(reports: Reports, until_ms: int) -> bool:
    """Whether every archiving task has reached an event time."""
    archiving = of_stage(reports, "archiving")
    return bool(archiving) and all(report.watermark_ms >= until_ms for report in archiving)


def serving_of(reports: Reports, generation: int, partitions: int) -> list[WorkerReport] | None:
    """The reports of serving once every partition has read a generation, None until then."""
    found = [report for report in of_stage(reports, "serving") if report.generation >= generation]
    return found if len({report.partition for report in found}) >= partitions else None


def refusal_of(reports: Reports, digest: str, generation: int) -> str | None:
    """Why a worker that has read a generation refused a bundle, None when none did; earlier refusals have had their time."""
    found = (report for report in of_stage(reports, "serving") if report.generation >= generation)
    return next((report.refused[digest] for report in found if digest in report.refused), None)
