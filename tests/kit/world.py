"""A data plane in a file: deployments are durable lines, serving obeys at once. A product-quality double of `World`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from daemon.deploying.world import Reports
from daemon.ledger.audit import Head
from streams.contracts.records import Deployment, WorkerReport


class FileWorld:
    """Serving and archiving that do what they are told, and remember it across processes.

    Args:
        file: where deployments are appended, one JSON a line, synced to disk.
        model: whose.
        partitions: of serving.
        refuses: digests that serving refuses, with the reason.
        published: called after a deployment is on disk; tests kill the process in it.
    """

    def __init__(
        self,
        file: Path,
        model: str = "m",
        *,
        partitions: int = 2,
        refuses: dict[str, str] | None = None,
        published: Callable[[Deployment], None] = lambda deployment: None,
    ) -> None:
        self._file = file
        self._model = model
        self._partitions = partitions
        self._refuses = refuses or {}
        self._published = published
        self._watermark = file.with_suffix(".watermark")
        self.archived_ms = 1 << 60
        self.is_deaf = False

    @property
    def history(self) -> list[Deployment]:
        """All deployments ever published, oldest first."""
        if not self._file.exists():
            return []
        return [msgspec.json.decode(line, type=Deployment) for line in self._file.read_bytes().splitlines()]

    @property
    def reported_ms(self) -> int:
        """The newest watermark the daemon reported."""
        return int(self._watermark.read_text()) if self._watermark.exists() else -1

    async def deployment(self) -> Deployment | None:
        return self.history[-1] if self.history else None

    async def publish(self, deployment: Deployment) -> None:
        history = self.history
        assert deployment.generation == (history[-1].generation + 1 if history else 1), "compare and set"
        with self._file.open("ab") as file:
            file.write(msgspec.json.encode(deployment) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._published(deployment)

    async def until(self, condition: Callable[[Reports], bool], seconds: float) -> bool:
        return condition(self.reports())

    def reports(self) -> Reports:
        archiving = [
            WorkerReport(stage="archiving", model=self._model, partition=partition, epoch="a", watermark_ms=self.archived_ms)
            for partition in range(self._partitions)
        ]
        if self.is_deaf or not self.history:
            return tuple(archiving)
        newest = self.history[-1]
        wanted = {*newest.preparing, *newest.digests}
        ready = tuple(sorted(wanted - set(self._refuses)))
        refused = {digest: why for digest, why in self._refuses.items() if digest in wanted}
        serving = [
            WorkerReport(
                stage="serving",
                model=self._model,
                partition=partition,
                epoch="s",
                generation=newest.generation,
                ready=ready,
                refused=refused,
            )
            for partition in range(self._partitions)
        ]
        return (*archiving, *serving)

    async def report(self, watermark_ms: int, head: Head) -> None:
        part = self._watermark.with_suffix(".part")
        part.write_text(str(watermark_ms))
        part.replace(self._watermark)
