"""Deploying: bundles into slots, in two phases, each record written once however often the daemon dies.

A record is reserved in the ledger before it is published. Who finds it reserved after a crash compares it with the newest
record in the world: it is there, or it is written now.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from daemon.deploying.config import DeployingConfig
from daemon.deploying.slots import CHALLENGER, canaried, is_same, prepared, promoted, rolled_back, shadowed, tidied
from daemon.deploying.world import Reports, World, has_archived, refusal_of, serving_of
from daemon.errors import SwapFailedError
from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Incident, Move, Spend, Step
from streams.contracts.records import Canary, Deployment
from streams.runtime.logging import Log

log = Log("daemon.deploying.swap")

Build = Callable[[Deployment], Deployment]


class Deploying:
    """The only writer of one model's deployments.

    Args:
        model: whose.
        ledger: where records are reserved.
        world: the data plane.
        config: partitions and deadlines.
        owner: name of this daemon run.
        shadow_ms: event time a challenger shadows.
        probation_ms: event time a replaced champion stays ready.
    """

    def __init__(
        self, model: str, ledger: Ledger, world: World, config: DeployingConfig, *, owner: str, shadow_ms: int, probation_ms: int
    ) -> None:
        self._model = model
        self._ledger = ledger
        self._world = world
        self._config = config
        self._owner = owner
        self._shadow_ms = shadow_ms
        self._probation_ms = probation_ms

    async def champion(self) -> str:
        """Return the digest of the champion.

        Raises:
            SwapFailedError: the model has no deployment yet.
        """
        return (await self._current()).champion

    async def archived(self, until_ms: int) -> bool:
        """Wait until the lake is complete up to an event time; false when that takes too long."""
        is_there = await self._world.until(lambda reports: has_archived(reports, until_ms), self._config.archive_deadline.seconds)
        if not is_there:
            log.warning("ArchiveDelayed", model=self._model, until_ms=until_ms)
        return is_there

    async def settle(self, now_ms: int) -> None:
        """Finish records that an earlier run of the daemon had reserved, before anything else is deployed."""
        for step in self._ledger.deployments(self._model, "reserved"):
            await self._publish(step, None, now_ms)

    async def shadow(self, incident: Incident, now_ms: int) -> Move:
        """Let the challenger of an incident score beside the champion, from when its training time is over."""
        try:
            await self.prepare(incident.id, incident.challenger, now_ms)
        except SwapFailedError as error:
            return Move(to="refused", reason=str(error), rule="serving_refused")
        effective_ms = max(int(incident.details["ready_ms"]), now_ms)
        step = await self.put_shadow(incident.id, CHALLENGER, incident.challenger, now_ms, effective_ms)
        since_ms = int(step.payload["effective_ms"])
        return Move(
            to="shadowing", reason=f"shadows as generation {step.payload['generation']}", rule="shadow_first",
            details={"shadow_ms": since_ms}, waits_until_ms=since_ms + self._shadow_ms,
        )  # fmt: skip

    async def begin(self, action: str, incident: Incident, now_ms: int) -> Move:
        """Begin a swap that needs no work before it: to an earlier champion, or to a bundle that a person forces past the judge.

        What serving itself finds wrong with a forced bundle still refuses it.
        """
        if action == "rollback":
            return Move(to="promoting", reason="an earlier champion serves better", rule="rollback")
        try:
            await self.prepare(incident.id, incident.challenger, now_ms)
        except SwapFailedError as error:
            return Move(to="refused", reason=str(error), rule="serving_refused")
        return Move(to="promoting", reason=f"forced by {incident.requester}", rule="forced")

    async def promote(self, incident: Incident, now_ms: int) -> Move:
        """Make the challenger the champion; the one it replaces stays ready."""
        step = await self._deploy(incident.id, "promote", lambda current: promoted(current, incident.challenger, now_ms), now_ms)
        since_ms = int(step.payload["effective_ms"])
        log.info("ModelSwapped", model=self._model, digest=incident.challenger, generation=step.payload["generation"])
        rule = "promote_what_was_forced" if incident.details.get("forced") else "promote_what_proved_itself"
        return Move(
            to="probation", reason=f"serves as generation {step.payload['generation']}", rule=rule,
            details={"promoted_ms": since_ms, "generation": step.payload["generation"]},
            waits_until_ms=since_ms + self._probation_ms, spends=(Spend(kind="promotion", amount=1.0),),
        )  # fmt: skip

    async def roll_back(self, subject: str, now_ms: int) -> str:
        """Make the champion before the current one the champion again; return in words what serves.

        Raises:
            SwapFailedError: no earlier champion is known, or serving can't load it.
        """
        begun = self._ledger.step(subject, "rollback")
        if begun is None or not begun.payload:
            digest = await self._earlier_champion()
            if digest not in {slot.digest for slot in (await self._current()).active}:
                await self.prepare(subject, digest, now_ms)
            begun = await self._deploy(subject, "rollback", lambda now: rolled_back(now, digest, now_ms), now_ms)
            log.warning("ModelRolledBack", model=self._model, digest=digest, generation=begun.payload["generation"])
        return f"{begun.payload['champion'][:12]} serves again as generation {begun.payload['generation']}"

    async def tidy(self, incident: Incident, now_ms: int) -> None:
        """Empty the slots an incident used, if it used any."""
        if self._ledger.step(incident.id, f"prepare_{incident.challenger[:12]}") is not None:
            await self._deploy(incident.id, "tidy", lambda current: tidied(current, now_ms), now_ms)

    async def prepare(self, subject: str, digest: str, now_ms: int) -> None:
        """Have every partition verify, load, warm and backfill a bundle.

        Raises:
            SwapFailedError: one refused it, or they took too long.
        """
        key = f"prepare_{digest[:12]}"
        step = await self._deploy(subject, key, lambda current: prepared(current, digest, now_ms), now_ms)
        generation = int(step.payload["generation"])

        def is_decided(reports: Reports) -> bool:
            return refusal_of(reports, digest, generation) is not None or self._is_ready(reports, digest, generation)

        if not await self._world.until(is_decided, self._config.ready_deadline.seconds):
            raise SwapFailedError(f"serving wasn't ready for {digest[:12]} within {self._config.ready_deadline}")
        reports = self._world.reports()
        refusal = refusal_of(reports, digest, generation)
        if refusal is not None and not self._is_ready(reports, digest, generation):
            raise SwapFailedError(f"serving refused {digest[:12]}: {refusal}")

    async def put_shadow(self, subject: str, name: str, digest: str | None, now_ms: int, effective_ms: int) -> Step:
        """Put a prepared bundle into a shadow, or empty it."""
        return await self._deploy(
            subject, f"shadow_{name}", lambda current: shadowed(current, name, digest, effective_ms), now_ms
        )

    async def put_canary(self, subject: str, digest: str | None, weight: float, now_ms: int) -> Step:
        """Let a prepared bundle answer a share of the requests, or end that.

        A canary that is there already keeps its salt, so that a new weight moves no more keys than it must.
        """

        def build(current: Deployment) -> Deployment:
            if digest is None:
                return canaried(current, None, now_ms)
            same = current.canary is not None and current.canary.digest == digest
            salt = current.canary.salt if same and current.canary is not None else f"{self._model}/{current.generation + 1}"
            return canaried(current, Canary(digest=digest, weight=weight, salt=salt), now_ms)

        return await self._deploy(subject, "canary", build, now_ms)

    async def _earlier_champion(self) -> str:
        champion = await self.champion()
        before = [step.payload["champion"] for step in self._ledger.deployments(self._model, "done")]
        earlier = [str(digest) for digest in before if digest != champion]
        if not earlier:
            raise SwapFailedError("no earlier champion is known")
        return earlier[-1]

    def _is_ready(self, reports: Reports, digest: str, generation: int) -> bool:
        found = serving_of(reports, generation, self._config.partitions)
        return found is not None and all(digest in report.ready for report in found)

    async def _current(self) -> Deployment:
        current = await self._world.deployment()
        if current is None:
            raise SwapFailedError(f"{self._model} has no deployment yet: the first champion must be deployed before")
        return current

    async def _deploy(self, subject: str, key: str, build: Build, now_ms: int) -> Step:
        """Take one record from reserved to published and read, once."""
        step = self._ledger.step(subject, key)
        if step is not None and step.state == "done":
            return step
        if step is None or step.state != "reserved":
            step = await self._reserve(subject, key, build, now_ms)
        return await self._publish(step, build, now_ms)

    async def _reserve(self, subject: str, key: str, build: Build, now_ms: int) -> Step:
        step = self._ledger.lease(
            self._model, subject, key, kind="deploy", skill="deploy", owner=self._owner,
            until_wall_ms=self._ledger.wall_ms() + self._config.ready_deadline.ms, now_ms=now_ms,
        )  # fmt: skip
        current = await self._current()
        target = build(current)
        if is_same(current, target):
            target = current
        payload = msgspec.to_builtins(target) | {"champion": target.champion}
        return self._ledger.reserve(step, payload, now_ms)

    async def _publish(self, step: Step, build: Build | None, now_ms: int) -> Step:
        target = msgspec.convert(step.payload, Deployment)
        current = await self._current()
        if current.generation >= target.generation and current != target:
            # Nobody else may write; after a restore of an older ledger or a foreign record, start from what is there.
            if build is None:
                return step
            return await self._publish(await self._reserve(step.subject, step.key, build, now_ms), None, now_ms)
        if current.generation < target.generation:
            await self._world.publish(target)
        is_read = await self._world.until(
            lambda reports: serving_of(reports, target.generation, self._config.partitions) is not None,
            self._config.read_deadline.seconds,
        )
        if not is_read:
            log.warning("DeploymentDelayed", model=self._model, generation=target.generation)
        return self._ledger.finish(step, {"generation": target.generation, "is_read": is_read}, now_ms)
