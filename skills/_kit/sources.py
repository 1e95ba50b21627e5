"""What skills read: bundles from the registry, facts and outcomes from the lake."""

from __future__ import annotations

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
from streams.lake.tables import source_table, table_schema


def manifest_of(registry: str, model: str, digest: str) -> Manifest:
    """Read a bundle's manifest, verified by its digest.

    Raises:
        BundleRefused: it is missing or altered.
    """
    return BundleStore(Path(registry)).read_manifest(model, digest)


def facts_of(lake: Lake, model: str, schema: ModelSchema, skew_ms: int, *, since_ms: int, until_ms: int) -> Facts:
    """Read the facts that windows count: unflagged requests and outcomes, and records of sources, in [since_ms, until_ms).

    Raises:
        LakeError: the lake has no such tables.
    """
    declared = [column.name for column in schema.columns]
    requests = lake.read(model, "predictions", ["time_ms", *declared, "flags"], since_ms=since_ms, until_ms=until_ms)
    outcomes = lake.read(
        model, "outcomes", ["known_ms", *declared, "label", "flags"], since_ms=since_ms, until_ms=until_ms, time_column="known_ms"
    )
    tables = {"requests": unflagged(requests).drop_columns(["flags"]), "outcomes": unflagged(outcomes).drop_columns(["flags"])}
    there = source_tables(lake, model, schema)
    for source in schema.sources:
        table, wanted = source_table(source.name), ["time_ms", *(column.name for column in source.columns)]
        # Nothing may have come since it was registered.
        tables[source.name] = (
            lake.read(model, table, wanted, since_ms=since_ms, until_ms=until_ms)
            if table in there
            else table_schema(schema, table).empty_table().select(wanted)
        )
    return Facts(schema, tables, skew_ms)


def source_tables(lake: Lake, model: str, schema: ModelSchema) -> list[str]:
    """Return the tables of those sources that anything was archived of.

    Raises:
        LakeError: nobody can say.
    """
    return [table for source in schema.sources if lake.exists(model, table := source_table(source.name))]


def schema_of(manifest: Manifest | None, given: ModelSchema | None, sources: tuple[SourceSchema, ...]) -> ModelSchema:
    """Return the champion's schema, or the given one before there is a champion, with sources that were registered since.

    Raises:
        InputError: neither is there.
    """
    schema = manifest.schema if manifest is not None else given
    if schema is None:
        raise InputError("without a champion the schema must be given")
    return msgspec.structs.replace(schema, sources=sources) if sources else schema


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
