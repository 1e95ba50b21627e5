"""Calling skills by hand, as `driftwake skill NAME` does: for a replay's first champion, and for those it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pandas as pd

from daemon.executing.child import Folder
from daemon.replay.following import Tell, followed
from daemon.replay.warm import WarmSkills
from daemon.settings import DaemonSettings
from skills._kit.progress import PROGRESS
from streams.contracts.features import Window


class ByHand:
    """One model's skills over the data folder of its settings; their warm processes end when this object does."""

    def __init__(self, settings: DaemonSettings, model: str) -> None:
        given = settings.model(model)
        registry = str(settings.folder("registry").resolve())
        self._common = {"lake": settings.lake_place, "registry": registry, "model": model}
        schema = given.schema_contract()
        self._own = {"schema": msgspec.to_builtins(schema), "skew_ms": given.skew.ms}
        self._watch = {"watch": given.watch()}
        self._monitoring = given.monitoring
        # Of the skills that are given rows as they came; a path, for arguments are kept and the key must not be among them.
        self._raw = {"key_file": str(settings.hash_key_file.resolve())} if schema.needs_key else {}
        settings.make_hash_key()
        self._work = settings.executing_config().work / "by-hand"
        self._warm = WarmSkills(settings.executing_config())

    async def import_history(self, rows: pd.DataFrame, name: str) -> None:
        """Store labelled rows (`Log.history`) in the lake.

        Raises:
            RunFailedError: they can't be stored; so do the other methods when a skill fails.
        """
        folder = self._folder(f"{name}-history")
        folder.path.parent.mkdir(parents=True, exist_ok=True)
        table = folder.path.with_suffix(".parquet")
        rows.to_parquet(table, index=False)
        common = {"lake": self._common["lake"], "model": self._common["model"], "schema": self._own["schema"]}
        try:
            await self._call("import_history", folder, common | self._raw | {"table": str(table), "name": name})
        finally:
            # The rows as they came: nothing needs them any more.
            table.unlink()

    async def dataset(
        self, name: str, until_ms: int, train_ms: int, sealed_ms: int, windows: Sequence[Window] = ()
    ) -> dict[str, Any]:
        """Build the rows with event time in [until - train, until - sealed) with the labels known by then, and some windows."""
        ranges = {"until_ms": until_ms, "train_ms": train_ms, "sealed_ms": sealed_ms, "windows": plain(windows)}
        return await self._call("build_dataset", self._folder(f"{name}-data"), self._common | self._own | ranges)

    async def train(self, name: str, table: str, windows: Sequence[Window] = (), parameters: dict[str, Any] | None = None) -> str:
        """Train on a table and return the bundle's digest."""
        arguments = {"train": table, "seed": 0, "lineage": {"policy": name}, "windows": plain(windows)}
        arguments["parameters"] = parameters or {}
        given = self._common | self._own | self._watch | arguments
        result = await self._call("train_xgboost", self._folder(f"{name}-train"), given)
        return str(result["digest"])

    async def adopt(self, table: str) -> dict[str, Any]:
        """Make the bundle of a model that is served elsewhere, out of labelled rows with its scores."""
        common = {"registry": self._common["registry"], "model": self._common["model"], "table": table}
        return await self._call("adopt_model", self._folder("adopt"), common | self._own | self._watch | self._raw)

    async def calibrate(self, asked: dict[str, Any], tell: Tell | None = None) -> dict[str, Any]:
        """Calibrate a bundle's monitors; `asked` holds the skill's arguments beyond how the model is watched.

        `tell` is told how far it is, line by line.
        """
        monitoring = self._monitoring
        common = {"model": self._common["model"], "schema": self._own["schema"]}
        common |= {"alarms_per_month": monitoring.false_alarms_per_month, "cooldown_ms": monitoring.cooldown.ms}
        common["floors"] = monitoring.effect_floors.model_dump()
        folder = self._folder("calibrate")
        run = self._call("calibrate_monitors", folder, common | self._watch | self._raw | asked)
        return await (run if tell is None else followed(run, folder.work / PROGRESS, tell))

    async def is_better(self, name: str, champion: str, challenger: str, sealed: str) -> bool:
        """Compare two bundles on a table that neither was trained on: whether the challenger isn't worse."""
        bundles = {"champion": champion, "challenger": challenger, "sealed": sealed}
        result = await self._call("compare_models", self._folder(f"{name}-compare"), self._common | bundles)
        return float(result["metric"]["difference"]["value"]) >= 0.0

    def _folder(self, name: str) -> Folder:
        return Folder((self._work / name).absolute())

    async def _call(self, skill: str, folder: Folder, arguments: dict[str, Any]) -> dict[str, Any]:
        folder.prepare(arguments)
        return await self._warm.run(skill, folder)


def plain(windows: Sequence[Window]) -> list[Any]:
    """Return windows as a skill's arguments hold them."""
    return [msgspec.to_builtins(window) for window in windows]
