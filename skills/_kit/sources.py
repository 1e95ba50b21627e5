"""What skills read: bundles from the registry, facts and outcomes from the lake."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skills._kit.errors import InputError
from skills._kit.features import Facts, unflagged
from streams.contracts.bundle import Manifest
from streams.contracts.features import Window
from streams.contracts.schema import ModelSchema, SourceSchema
from streams.inference.store import BundleStore
from streams.lake.lake import Lake
from streams.lake.tables import OUTCOMES, PREDICTIONS, source_table, table_schema


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
    """Read the facts that windows count: unflagged requests and outcomes, and records of sources, in [since_ms, until_ms).

    Hidden columns are left out, but for the `keys` that windows group by.

    Raises:
        LakeError: the lake has no such tables.
    """
    seen = shown(lake, model, schema, keys)
    declared = [column.name for column in seen.columns]
    read = functools.partial(lake.read, model, since_ms=since_ms, until_ms=until_ms, keys=keys)
    requests = read(PREDICTIONS, ["time_ms", *declared, "flags"])
    outcomes = read(OUTCOMES, ["known_ms", *declared, "label", "flags"], time_column="known_ms")
    tables = {"requests": unflagged(requests).drop_columns(["flags"]), "outcomes": unflagged(outcomes).drop_columns(["flags"])}
    there = source_tables(lake, model, schema)
    for source in schema.sources:
        table = source_table(source.name)
        hidden = (lake.hidden(model, table) if table in there else frozenset()) - {*keys}
        wanted = ["time_ms", *(column.name for column in source.columns if column.name not in hidden)]
        # Nothing may have come since it was registered.
        empty = table_schema(schema, table).empty_table().select(wanted)
        tables[source.name] = read(table, wanted) if table in there else empty
    return Facts(seen, tables, skew_ms)


def source_tables(lake: Lake, model: str, schema: ModelSchema) -> list[str]:
    """Return the tables of those sources that anything was archived of.

    Raises:
        LakeError: nobody can say.
    """
    return [table for source in schema.sources if lake.exists(model, table := source_table(source.name))]


def schema_of(manifest: Manifest | None, given: ModelSchema | None, sources: tuple[SourceSchema, ...] | None) -> ModelSchema:
    """Return the champion's schema, or the given one before there is a champion, with the sources registered now, if said.

    Raises:
        InputError: neither is there.
    """
    schema = manifest.schema if manifest is not None else given
    if schema is None:
        raise InputError("without a champion the schema must be given")
    return schema if sources is None else msgspec.structs.replace(schema, sources=sources)


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
