"""A table's files: the file system they lie in, and those of them that can hold rows of a span of time."""

from __future__ import annotations

import functools
import operator
from collections.abc import Collection, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
from deltalake import DeltaTable
from deltalake.fs import DeltaStorageHandler

from streams.contracts.errors import LakeError
from streams.lake.place import folder_of
from streams.lake.tables import DATE, DAY_MS, event_time

# 2^64 over the golden ratio, as a signed number.
_GOLDEN: Final = -7_046_029_254_386_353_131
_PARTITIONS_APART: Final = 1_000_003


def file_system(location: str, sizes: Mapping[str, int] | None = None) -> pafs.FileSystem:
    """Return a table's folder as a file system: the one place where a folder on this machine isn't an object store.

    Args:
        location: the table's folder or URL.
        sizes: of files that will be read, by path; an object store is asked for those of others.
    """
    folder = folder_of(location)
    if folder is not None:
        return pafs.SubTreeFileSystem(str(folder), pafs.LocalFileSystem())
    return pafs.PyFileSystem(DeltaStorageHandler(location, known_sizes=dict(sizes or {})))


def data_set(
    handle: DeltaTable,
    location: str,
    table: str,
    time_column: str,
    span: tuple[int | None, int | None],
    *,
    newest_first: bool = False,
) -> Any:
    """Return the files that can hold rows of a span of time, day by day.

    Delta's own data set is built with all statistics of every file, which takes longer than reading hundreds of small files.

    Raises:
        LakeError: another tool has switched on features that aren't read here.
    """
    # It brings pandas with it, 50 MiB and a fifth of a second, and only who reads needs it.
    import pyarrow.dataset as ds

    if handle.protocol().min_reader_version > 1:
        raise LakeError(
            f"{table}: another tool has switched on features of Delta that aren't read here (deletion vectors, "
            "column mapping); rewrite the table without them"
        )
    added = pa.table(handle.get_add_actions(flatten=True))
    found = added.filter(_can_hold(added, table, time_column, span))
    sizes = dict(zip(found.column("path").to_pylist(), found.column("size_bytes").to_pylist(), strict=True))
    schema, dates = pa.schema(handle.schema().to_arrow()), ds.partitioning(pa.schema([(DATE, pa.date32())]), flavor="hive")
    files = file_system(location, sizes)
    paths = sorted(sizes, reverse=newest_first)
    return ds.dataset(paths, schema=schema, format="parquet", filesystem=files, partitioning=dates)


def _can_hold(added: pa.Table, table: str, time_column: str, span: tuple[int | None, int | None]) -> pa.Array:
    """Say of each file whether it can hold rows of a span of time: by its statistics, or where it has none by its day."""
    since_ms, until_ms = span
    begins = pc.multiply(added.column(f"partition.{DATE}").cast(pa.int32()).cast(pa.int64()), DAY_MS)
    if event_time(table) != time_column:
        begins = pa.nulls(len(added), pa.int64())
    least = pc.coalesce(_statistic(added, f"min.{time_column}"), begins)
    most = pc.coalesce(_statistic(added, f"max.{time_column}"), pc.add(begins, DAY_MS - 1))
    can = pa.array([True] * len(added), pa.bool_())
    # A file of which nothing is known may hold anything.
    if since_ms is not None:
        can = pc.and_(can, pc.fill_null(pc.greater_equal(most, since_ms), fill_value=True))
    if until_ms is not None:
        can = pc.and_(can, pc.fill_null(pc.less(least, until_ms), fill_value=True))
    return can


def _statistic(added: pa.Table, name: str) -> pa.ChunkedArray | pa.Array:
    """Return a statistic of each file; Delta keeps some of the first 32 columns only."""
    return added.column(name) if name in added.column_names else pa.nulls(len(added), pa.int64())


def chosen(
    time_column: str, span: tuple[int | None, int | None], among: Mapping[str, Collection[Any]], one_in: int = 1
) -> pc.Expression | None:
    """Return the filter of rows with `time_column` in a span and columns among some values, None when all rows are wanted.

    Of more than a few requests about one in so many is among `one_in`, whichever file or table its rows lie in. Which ones has
    nothing to do with their order: producers take turns.
    """
    since_ms, until_ms = span
    filters = [pc.field(time_column) >= since_ms] if since_ms is not None else []
    filters += [pc.field(time_column) < until_ms] if until_ms is not None else []
    filters += [pc.field(name).isin(list(values)) for name, values in among.items()]
    filters += [pc.equal(pc.bit_wise_and(_scattered(), one_in - 1), 0)] if one_in > 1 else []
    return functools.reduce(operator.and_, filters) if filters else None


def _scattered() -> pc.Expression:
    """A number of each request, random in its lower bits: its position, hashed by multiplication (Knuth, vol. 3, 6.4)."""
    position = pc.add(pc.multiply(pc.field("partition").cast(pa.int64()), _PARTITIONS_APART), pc.field("offset"))
    return pc.shift_right(pc.multiply(position, _GOLDEN), 40)
