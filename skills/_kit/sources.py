"""What skills read: bundles from the registry, facts and outcomes from the lake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skills._kit.features import Facts, unflagged
from streams.contracts.bundle import Manifest
from streams.contracts.features import Window
from streams.contracts.schema import ModelSchema
from streams.inference.store import BundleStore
from streams.lake.lake import Lake


def manifest_of(registry: str, model: str, digest: str) -> Manifest:
    """Read a bundle's manifest, verified by its digest.

    Raises:
        BundleRefused: it is missing or altered.
    """
    return BundleStore(Path(registry)).read_manifest(model, digest)


def facts_of(lake: Lake, model: str, schema: ModelSchema, skew_ms: int, *, since_ms: int, until_ms: int) -> Facts:
    """Read the facts that windows count: unflagged requests and outcomes in [since_ms, until_ms).

    Raises:
        LakeError: the lake has no such tables.
    """
    declared = [column.name for column in schema.columns]
    requests = lake.read(model, "predictions", ["time_ms", *declared, "flags"], since_ms=since_ms, until_ms=until_ms)
    outcomes = lake.read(
        model, "outcomes", ["known_ms", *declared, "label", "flags"], since_ms=since_ms, until_ms=until_ms, time_column="known_ms"
    )
    return Facts(schema, unflagged(requests).drop_columns(["flags"]), unflagged(outcomes).drop_columns(["flags"]), skew_ms)


def newest_known(outcomes: pa.Table, before_ms: int) -> pa.Table:
    """Keep of each id the newest revision that was known before `before_ms`; order of rows as given."""
    known = outcomes.filter(pc.less(outcomes.column("known_ms"), before_ms))
    numbered = known.append_column("place_", pa.array(np.arange(known.num_rows)))
    order = numbered.sort_by([("id", "ascending"), ("revision", "ascending"), ("known_ms", "ascending"), ("place_", "ascending")])
    ids = order.column("id").combine_chunks()
    if not len(ids):
        return known
    is_last = pa.concat_arrays([pc.not_equal(ids.slice(1), ids.slice(0, len(ids) - 1)), pa.array([True])])
    places = order.filter(is_last).column("place_").sort()
    return known.take(places)


def windows_of(manifest: Manifest | None, given: tuple[Window, ...] = ()) -> tuple[Window, ...]:
    """Join a bundle's windows and further ones, each once, in this order."""
    return tuple(dict.fromkeys([*(manifest.windows if manifest else ()), *given]))
