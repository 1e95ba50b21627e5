"""Trainings that were done before: scenarios share their streams up to what is injected, and so their first trainings."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import importlib.metadata
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

import skills
import streams
from daemon.replay.by_hand import ByHand, plain
from daemon.settings import DaemonSettings
from streams.contracts.features import Window
from streams.inference.store import BundleStore


class RememberingByHand(ByHand):
    """Skills by hand, but a training of the same rows, with the same arguments, code and libraries is done once.

    A training gives the same bundle for the same input, so a bundle that is published again is the one that would be trained.

    Args:
        settings: as of `ByHand`.
        model: as of `ByHand`.
        memory: a folder of bundles, shared by all scenarios of a run, also at the same time.
    """

    def __init__(self, settings: DaemonSettings, model: str, memory: Path) -> None:
        super().__init__(settings, model)
        self._model = model
        self._registry = BundleStore(settings.folder("registry"))
        self._memory = memory
        self._known = BundleStore(memory)

    async def train(self, name: str, table: str, windows: Sequence[Window] = (), parameters: dict[str, Any] | None = None) -> str:
        """Train, or publish what was trained before, and return the bundle's digest."""
        arguments = msgspec.json.encode((self._own, name, plain(windows), parameters or {}), order="deterministic")
        note = self._memory / f"{await asyncio.to_thread(_digest, Path(table), arguments)}.digest"
        known = await asyncio.to_thread(self._recall, note)
        if known is not None:
            return known
        digest = await super().train(name, table, windows, parameters)
        await asyncio.to_thread(self._remember, note, digest)
        return digest

    def _recall(self, note: Path) -> str | None:
        if not note.exists():
            return None
        return self._registry.publish(self._model, self._known.path(self._model, note.read_text()))

    def _remember(self, note: Path, digest: str) -> None:
        self._known.publish(self._model, self._registry.path(self._model, digest))
        part = note.with_suffix(f".{os.getpid()}")  # others may remember the same at the same time
        part.write_text(digest)
        part.replace(note)


def _digest(table: Path, arguments: bytes) -> str:
    return hashlib.sha256(table.read_bytes() + arguments + _made_by()).hexdigest()


@functools.cache
def _made_by() -> bytes:
    """Return what else a bundle depends on: the code of skills and the libraries."""
    code = hashlib.sha256()
    for package in (skills, streams):
        for file in sorted(Path(package.__path__[0]).rglob("*.py")):
            code.update(file.read_bytes())
    libraries = sorted((one.name, one.version) for one in importlib.metadata.distributions())
    return msgspec.json.encode((code.hexdigest(), libraries))
