"""MLflow: each training is a run and a registered version, `champion` and `challenger` are aliases.

The one door to mlflow, which is imported when it is first used, in a thread (it takes seconds and 100 MB). The ledger is
the truth; what MLflow says is a copy for people, made again without harm when a step is repeated.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Protocol

from daemon.errors import RegistryError
from daemon.registry.records import Training

_DIGEST = "driftwake.digest"


class Registry(Protocol):
    """Where people look models up. Called by the loop after training and after each change of slots; failing stops nothing."""

    async def register(self, model: str, training: Training) -> bool:
        """Record a training and its bundle; false when the digest was recorded before."""
        ...

    async def point(self, model: str, alias: str, digest: str | None) -> None:
        """Let an alias point at a digest, or at nothing."""
        ...


class NoRegistry:
    """For who wants none."""

    async def register(self, model: str, training: Training) -> bool:
        """Do nothing."""
        return False

    async def point(self, model: str, alias: str, digest: str | None) -> None:
        """Do nothing."""


class MlflowRegistry:
    """MLflow behind a tracking URI, for instance `sqlite:////data/mlflow.sqlite`.

    Args:
        tracking_uri: where MLflow keeps runs and the registry.
        artifacts: folder of a new experiment's artifacts.
    """

    def __init__(self, tracking_uri: str, artifacts: Path) -> None:
        self._tracking_uri = tracking_uri
        self._artifacts = artifacts
        self._client: Any = None
        self._one_at_a_time = asyncio.Lock()

    async def register(self, model: str, training: Training) -> bool:
        """Record a training as a run, and its bundle as a version; false when it was recorded before.

        Raises:
            RegistryError: MLflow said no.
        """
        return bool(await self._call(self._register, model, training))

    async def point(self, model: str, alias: str, digest: str | None) -> None:
        """Let an alias point at the version of a digest, which is registered when it isn't known.

        Raises:
            RegistryError: MLflow said no.
        """
        await self._call(self._point, model, alias, digest)

    async def _call(self, work: Any, *arguments: Any) -> Any:
        async with self._one_at_a_time:
            try:
                return await asyncio.to_thread(work, *arguments)
            except Exception as error:
                raise RegistryError(f"mlflow: {type(error).__name__}: {error}"[:500]) from error

    def _connected(self) -> Any:
        if self._client is None:
            from mlflow.tracking import MlflowClient  # noqa: PLC0415 - heavy, and only needed once something was trained

            self._client = MlflowClient(self._tracking_uri, self._tracking_uri)
        return self._client

    def _register(self, model: str, training: Training) -> bool:
        client = self._connected()
        if self._version(client, model, training.digest) is not None:
            return False
        tags = {
            "mlflow.runName": training.incident, "driftwake.incident": training.incident, "driftwake.plan": training.plan,
            "driftwake.action": training.action, "driftwake.champion": training.champion, _DIGEST: training.digest,
        }  # fmt: skip
        run = client.create_run(self._experiment(client, model), start_time=training.started_ms, tags=tags)
        for name, value in training.parameters.items():
            client.log_param(run.info.run_id, name, value)
        for name, number in training.metrics.items():
            client.log_metric(run.info.run_id, name, number, timestamp=training.started_ms)
        client.set_terminated(run.info.run_id, "FINISHED", end_time=training.started_ms + int(training.seconds * 1_000))
        self._create_version(client, model, training.digest, str(training.folder), run.info.run_id)
        return True

    def _point(self, model: str, alias: str, digest: str | None) -> None:
        client = self._connected()
        if digest is None:
            if alias in self._model(client, model).aliases:
                client.delete_registered_model_alias(model, alias)
            return
        version = self._version(client, model, digest)
        if version is None:
            version = self._create_version(client, model, digest, f"bundle:{digest}", None)
        client.set_registered_model_alias(model, alias, version)

    def _experiment(self, client: Any, model: str) -> str:
        found = client.get_experiment_by_name(f"driftwake/{model}")
        if found is not None:
            return str(found.experiment_id)
        return str(client.create_experiment(f"driftwake/{model}", artifact_location=self._artifacts.absolute().as_uri()))

    def _model(self, client: Any, model: str) -> Any:
        known = client.search_registered_models(f"name = '{model}'")
        return known[0] if known else client.create_registered_model(model)

    def _version(self, client: Any, model: str, digest: str) -> str | None:
        self._model(client, model)
        found = [
            one
            for one in client.search_model_versions(f"name = '{model}'", max_results=10_000)
            if one.tags.get(_DIGEST) == digest
        ]
        return str(found[0].version) if found else None

    def _create_version(self, client: Any, model: str, digest: str, source: str, run_id: str | None) -> str:
        self._model(client, model)
        made = client.create_model_version(model, source=source, run_id=run_id, tags={_DIGEST: digest})
        return str(made.version)
