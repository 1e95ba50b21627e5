"""Calling skills by hand, as `driftwake skill NAME` does: for the first champion and for the policies it is compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from daemon.demo.flights import MODEL, SCHEMA
from daemon.executing.child import Folder, run
from daemon.executing.config import ExecutingConfig

SKEW_MS = 3_600_000


class ByHand:
    """One model's skills over one data folder.

    Args:
        lake: folder of the lake.
        registry: folder of the bundles.
        config: limits of the child processes; each call gets a folder under its `work`.
    """

    def __init__(self, lake: Path, registry: Path, config: ExecutingConfig) -> None:
        self._common = {"lake": str(lake), "registry": str(registry), "model": MODEL}
        self._config = config

    async def import_history(self, table: Path) -> None:
        """Store rows from before the replay in the lake."""
        arguments = {"lake": self._common["lake"], "model": MODEL, "table": str(table), "name": "before-the-replay"}
        await self._call("import_history", "history", arguments | {"schema": msgspec.to_builtins(SCHEMA)})

    async def dataset(self, name: str, until_ms: int, train_ms: int, sealed_ms: int) -> dict[str, Any]:
        """Build the rows up to a time, without any window."""
        ranges = {"until_ms": until_ms, "train_ms": train_ms, "sealed_ms": sealed_ms}
        return await self._call("build_dataset", f"{name}-data", self._common | self._own() | ranges)

    async def train(self, name: str, table: str) -> str:
        """Train on a table with the defaults and return the bundle's digest."""
        arguments = {"train": table, "seed": 0, "lineage": {"policy": name}}
        result = await self._call("train_xgboost", f"{name}-train", self._common | self._own() | arguments)
        return str(result["digest"])

    @staticmethod
    def _own() -> dict[str, Any]:
        return {"schema": msgspec.to_builtins(SCHEMA), "skew_ms": SKEW_MS}

    async def _call(self, skill: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        folder = Folder((self._config.work / "by-hand" / name).absolute())
        folder.prepare(arguments)
        return await run(skill, folder, self._config)
