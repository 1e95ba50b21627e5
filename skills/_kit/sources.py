"""What skills read: bundles from the registry, facts and outcomes from the lake."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skills._kit.features import Facts, unflagged
from streams.contracts.bundle import Manifest
from streams.contracts.features import Window
from streams.contracts.schema import ModelSchema
from streams.inference.store import BundleStore
from streams.lake.lake import Lake
from streams.lake.tables import OUTCOMES, PREDICTIONS


def manifest_of(registry: str, model: str, digest: str) -> Manifest:
    """Read a bundle's manifest, verified by its digest.

    Raises:
        BundleRefused: it is missing or altered.
    """
    return BundleStore(Path(registry)).read_manifest(model, digest)


def shown(lake: Lake, model: str, schema: ModelSchema, keys: Collection[str] = ()) -> ModelSchema:
    """Return the schema without the columns that the lake hands to nobody, whatever a bundle of before they were tagged says.

    Args:
        lake: which says so.
        model: the model's name.
        schema: of a bundle.
        keys: columns that are read all the same, to group by.

    Raises:
        LakeError: the lake can't be read.
        ContractError: no feature is left.
    """
    hidden = (lake.hidden(model, PREDICTIONS) | lake.hidden(model, OUTCOMES)) - {*keys}
    return msgspec.structs.replace(schema, columns=tuple(column for column in schema.columns if column.name not in hidden))


def keys_of(windows: Iterable[Window]) -> list[str]:
    """Return the columns that windows group by, each once."""
    return list(dict.fromkeys(key for window in windows for key in window.by))


def facts_of(
    lake: Lake, model: str, schema: ModelSchema, skew_ms: int, *, since_ms: int, until_ms: int, keys: Collection[str] = ()
) -> Facts:
    """Read the facts that windows count: unflagged requests and outcomes in [since_ms, until_ms).

    Hidden columns are left out, but for the `keys` that windows group by.

    Raises:
        LakeError: the lake has no such tables.
    """
    seen = shown(lake, model, schema, keys)
    declared = [column.name for column in seen.columns]
    read = functools.partial(lake.read, model, since_ms=since_ms, until_ms=until_ms, keys=keys)
    requests = read(PREDICTIONS, ["time_ms", *declared, "flags"])
    outcomes = read(OUTCOMES, ["known_ms", *declared, "label", "flags"], time_column="known_ms")
    return Facts(seen, unflagged(requests).drop_columns(["flags"]), unflagged(outcomes).drop_columns(["flags"]), skew_ms)


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
