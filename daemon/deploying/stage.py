"""The data plane over Kafka: deployments out, workers' reports in."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from daemon.deploying.world import Reports
from daemon.ledger.audit import Head
from streams.contracts.records import Deployment, WorkerReport
from streams.contracts.topics import topic_name
from streams.runtime.clock import WallClock
from streams.runtime.logging import Log
from streams.runtime.signing import Signer, Verifier
from streams.transport.deployments import DeploymentReader, deployment_output, read_back
from streams.transport.follower import Follower
from streams.transport.publisher import Publisher
from streams.transport.records import Output, Record

log = Log("daemon.deploying.stage")

_POLL_MS = 200


class KafkaWorld:
    """The data plane of one model, as its topics tell it.

    Args:
        bootstrap: the broker.
        model: whose deployments and reports.
        epoch: name of this daemon run, for its own reports.
        wall: for deadlines.
        signer: signs deployments.
    """

    def __init__(self, bootstrap: str, model: str, epoch: str, wall: WallClock, signer: Signer) -> None:
        self._model = model
        self._epoch = epoch
        self._wall = wall
        self._topics = {kind: topic_name(kind) for kind in ("deployments", "workers", "audit")}
        self._follower = Follower(bootstrap, [self._topics["deployments"], self._topics["workers"]])
        self._publisher = Publisher(bootstrap)
        self._signer = signer
        self._reader = DeploymentReader(model, Verifier([signer.public]), self._note_ignored)
        self._is_disturbed = False
        self._reports: dict[tuple[str, int], WorkerReport] = {}
        self._head_number = 0

    async def start(self) -> None:
        """Read both topics to their ends, so that nothing is decided on old news."""
        await self._publisher.start()
        self._learn(await self._follower.start())

    async def stop(self) -> None:
        """Let go of the broker."""
        await self._follower.stop()
        await self._publisher.stop()

    async def deployment(self) -> Deployment | None:
        """Return the newest deployment."""
        while records := await self._follower.poll(0):
            self._learn(records)
        return self._reader.newest

    async def publish(self, deployment: Deployment) -> None:
        """Write a deployment and note it; it is durable on return."""
        output = deployment_output(deployment, self._signer)
        await self._publisher.send(output)
        self._reader.read([read_back(output)])
        log.info("DeploymentPublished", model=self._model, generation=deployment.generation, reason=deployment.reason)

    async def until(self, condition: Callable[[Reports], bool], seconds: float) -> bool:
        """Wait for a condition on the reports."""
        deadline = self._wall.monotonic() + seconds
        while not condition(self.reports()):
            if self._wall.monotonic() >= deadline:
                return False
            self._learn(await self._follower.poll(_POLL_MS))
        return True

    def reports(self) -> Reports:
        """Return the newest report of each worker."""
        return tuple(self._reports.values())

    async def report(self, watermark_ms: int, head: Head) -> None:
        """Say how far the daemon is, and keep the audit's head where its own database can't be edited.

        Where somebody else has written a deployment of the model, it also writes the newest again: the topic is compacted, and
        would keep the stranger's instead.
        """
        newest = self._reader.newest
        if self._is_disturbed and newest is not None:
            self._is_disturbed = False
            await self._publisher.send(deployment_output(newest, self._signer))
        generation = newest.generation if newest is not None else 0
        own = WorkerReport(
            stage="daemon", model=self._model, partition=0, epoch=self._epoch, generation=generation, watermark_ms=watermark_ms
        )
        outputs = [Output(self._topics["workers"], None, f"daemon/{self._model}/0".encode(), msgspec.json.encode(own))]
        if head.number > self._head_number:
            outputs.insert(0, Output(self._topics["audit"], None, b"chain", msgspec.json.encode(head._asdict())))
            self._head_number = head.number
        await self._publisher.send_many(outputs)

    def _learn(self, records: Iterable[Record]) -> None:
        for record in records:
            if record.topic == self._topics["deployments"]:
                self._reader.read([record])
            elif record.value:
                self._note_report(record)

    def _note_report(self, record: Record) -> None:
        try:
            report = msgspec.json.decode(record.value or b"", type=WorkerReport)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            log.warning("RecordRefused", topic=record.topic, partition=record.partition, offset=record.offset)
            return
        if report.model == self._model:
            self._reports[report.stage, report.partition] = report

    def _note_ignored(self, reason: str) -> None:
        """Note a deployment that this daemon hasn't written."""
        self._is_disturbed = True
