"""Where things lie, and up to when the lake can be read: what every stage that calls a skill needs to say."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from daemon.errors import PlanRefusedError
from streams.contracts.bundle import MANIFEST_FILE, Manifest, decode_manifest
from streams.contracts.errors import ContractError
from streams.contracts.schema import ModelSchema, SourceSchema


class Places(NamedTuple):
    """The folders of one model and the rhythm of its archive.

    `lake` (or a URL) and `registry` are absolute folders as the skills take them; the archive is complete up to every multiple of
    `archive_interval_ms` of event time that archiving has reported. `sources` are registered by now, maybe not yet when the
    champion was trained. `watch` is how the model is watched (`ModelSettings.watch`), `schema` what the config declares of its
    columns by now.
    """

    model: str
    lake: str
    registry: Path
    archive_interval_ms: int
    sources: tuple[SourceSchema, ...] | None = None
    watch: dict[str, Any] | None = None
    schema: ModelSchema | None = None

    def until_ms(self, now_ms: int) -> int:
        """Return the last archive boundary at or before `now_ms`: no read of the lake goes further."""
        return now_ms - now_ms % self.archive_interval_ms

    def arguments(self, champion: str) -> dict[str, Any]:
        """Return the arguments that every skill takes."""
        return {"lake": self.lake, "registry": str(self.registry), "model": self.model, "champion": champion}

    def looked_up(self) -> dict[str, Any]:
        """Return the argument of those skills that compute windows for a new bundle."""
        return {} if self.sources is None else {"sources": [msgspec.to_builtins(source) for source in self.sources]}

    def manifest(self, digest: str) -> Manifest:
        """Read a bundle's manifest from the registry.

        Raises:
            PlanRefusedError: it isn't there, can't be read, or isn't what its digest says.
        """
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise PlanRefusedError("a bundle's digest is 64 hex digits")
        try:
            data = (self.registry / self.model / digest / MANIFEST_FILE).read_bytes()
            manifest = decode_manifest(data)
        except (OSError, msgspec.MsgspecError, ContractError) as error:
            raise PlanRefusedError(f"bundle {digest[:12]} can't be read from the registry: {type(error).__name__}") from error
        # Of the bytes: one that an older version wrote would be encoded otherwise today.
        if hashlib.sha256(data).hexdigest() != digest or manifest.model != self.model:
            raise PlanRefusedError(f"bundle {digest[:12]} isn't the bundle of {self.model} that its digest names")
        return manifest
