"""Keeping the model registry in step with what was trained and what serves."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from daemon.errors import RegistryError
from daemon.ledger.ledger import Ledger
from daemon.registry.announce import Announcer
from daemon.registry.mlflow_door import Registry
from daemon.registry.records import Training, training_of
from streams.contracts.records import CHAMPION, Deployment
from streams.runtime.logging import Log

log = Log("daemon.registry.follow")

CHALLENGER = "challenger"
_MOST_TRIES = 3


class Follow:
    """Tells the registry what it doesn't know yet. Failures are noted in the audit and stop nothing.

    Nothing is told before the first training, unless the model is served elsewhere: its champion stands in the registry from the
    beginning. After a restart all is told again, which changes nothing.

    Args:
        model: whose trainings.
        ledger: where they are read, and failures noted.
        registry: who is told.
        bundles: folder of the bundle store.
        is_observed: whether the model is served elsewhere.
        announcer: tells those who serve it, where they want to be told.
    """

    def __init__(
        self,
        model: str,
        ledger: Ledger,
        registry: Registry,
        bundles: Path,
        *,
        is_observed: bool = False,
        announcer: Announcer | None = None,
    ) -> None:
        self._model = model
        self._ledger = ledger
        self._registry = registry
        self._bundles = bundles
        self._is_observed = is_observed
        self._announcer = announcer
        self._told: set[str] = set()
        self._aliases: dict[str, str | None] = {CHALLENGER: None}
        self._failures: Counter[str] = Counter()

    async def follow(self, deployment: Deployment | None, now_ms: int) -> None:
        """Tell of new trainings, and of the aliases when they changed."""
        for training in self._untold():
            if await self._tell(training, now_ms):
                self._told.add(training.digest)
        if deployment is None:
            return
        if self._announcer is not None:
            await self._announcer.follow(deployment, now_ms)
        if not self._told and not self._is_observed:
            return
        serving = {slot.name: slot.digest for slot in deployment.active}
        for alias in (CHAMPION, CHALLENGER):
            digest = serving.get(alias)
            if self._aliases.get(alias, "") != digest and await self._point(alias, digest, now_ms):
                self._aliases[alias] = digest

    async def _tell(self, training: Training, now_ms: int) -> bool:
        try:
            is_new = await self._registry.register(self._model, training)
        except RegistryError as error:
            return self._note(training.digest, error, now_ms)
        if is_new:
            self._ledger.note("registry.registered", self._model, training.incident, now_ms, digest=training.digest)
        return True

    async def _point(self, alias: str, digest: str | None, now_ms: int) -> bool:
        try:
            await self._registry.point(self._model, alias, digest)
        except RegistryError as error:
            return self._note(f"{alias}:{digest}", error, now_ms)
        return True

    def _note(self, what: str, error: RegistryError, now_ms: int) -> bool:
        """Note a failure; true when it was tried often enough and is let go."""
        self._failures[what] += 1
        self._ledger.note("registry.failed", self._model, what, now_ms, error=str(error), tries=self._failures[what])
        log.warning("RegistryFailed", model=self._model, error=str(error))
        return self._failures[what] >= _MOST_TRIES

    def _untold(self) -> list[Training]:
        found = []
        for step in self._ledger.trainings(self._model):
            if step.result.get("digest") in self._told:
                continue
            incident = self._ledger.incident(step.subject)
            plan = self._ledger.plan(incident.plan_digest or "")
            folder = self._bundles / self._model / str(step.result.get("digest", ""))
            found.append(training_of(incident, plan, step.result, folder))
        return found
