"""A log of eight weeks with a model of its first two, and calibrating that model's monitors on some of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from skills import calibrate_monitors
from streams.contracts.bundle import Profile
from streams.inference.store import BundleStore
from tests.kit.histories import MODEL, WATCH, schema_of

SCHEMA = schema_of(2)
TRAINED, WEEKS = 2, 8


class Shop(NamedTuple):
    """A log of eight weeks, and a model that was trained on the first two."""

    folder: Path
    log: pa.Table
    digest: str

    @property
    def store(self) -> BundleStore:
        """The registry."""
        return BundleStore(self.folder / "registry")

    def bundles(self) -> set[str]:
        """Digests in the registry."""
        return {place.name for place in (self.folder / "registry" / MODEL).iterdir()}

    def profile(self, digest: str) -> Profile:
        """The profile of a bundle."""
        return self.store.read(MODEL, digest).profile


def calibrated(shop: Shop, log: pa.Table, folder: Path, **changed: Any) -> calibrate_monitors.Output:
    """Calibrate the shop's model on a log; a dry run unless told otherwise."""
    pq.write_table(log, folder / "log.parquet")
    arguments = {
        "registry": str(shop.folder / "registry"), "model": MODEL, "bundle": shop.digest, "table": str(folder / "log.parquet"),
        "schema": SCHEMA, "watch": WATCH, "alarms_per_month": 2.0, "dry": True,
    }  # fmt: skip
    asked = msgspec.convert(msgspec.to_builtins({**arguments, **changed}), calibrate_monitors.Input)
    return calibrate_monitors.run(asked, folder / "work")


def unlabelled(log: pa.Table) -> pa.Table:
    """The same rows, no label of which is known."""
    nothing = pa.nulls(log.num_rows, pa.float64())
    return log.drop_columns(["label", "known_ms"]).append_column("label", nothing).append_column("known_ms", nothing)
