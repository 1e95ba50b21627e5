"""The lake: each model's predictions and outcomes as Delta tables, every row once.

One process writes a model's tables; any number of others read them meanwhile (Delta readers see whole commits).
"""

from __future__ import annotations

import functools
import json
import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError

from streams.contracts.errors import LakeError
from streams.contracts.schema import ModelSchema
from streams.lake.history import HISTORY_MARK, as_tables
from streams.lake.tables import DATE, DAY_MS, EVENT_TIMES, dated, event_time

_KNOWN: Final = "driftwake_transactions"
_POSITION: Final = "position:"
_MARK: Final = "mark:"
_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# Each commit makes the next through the same handle 0.1 ms slower: 12 ms when just opened, 49 after 450 commits.
_REOPEN_AFTER: Final = 50
_ORDER: Final = ("partition", "offset", "revision")


class _Handle(NamedTuple):
    """An open table, and at which version it was opened."""

    table: DeltaTable
    opened: int

    def is_of(self, path: Path) -> bool:
        """Say whether it is the table of this folder, where someone may have put another one, and opened not long ago."""
        version = self.table.version()
        return version < self.opened + _REOPEN_AFTER and (path / "_delta_log" / f"{version:020}.json").exists()


class Lake:
    """The tables under one folder, `{root}/{model}/{table}`.

    Exactly once: each append carries, as Delta app transactions in the same commit, the next offset to read of every
    topic-partition that its rows came from. An append whose offset isn't greater than the stored one is refused, by the
    version of the very handle that commits (Delta itself would accept a lower one and move back); a commit by someone else
    in between fails. So after a crash the writer asks for `positions` and goes on from there.

    An open table is brought up to date at each use, which takes 4 ms where opening it takes 25. Threads may read a table at
    the same time, but only one may append to it.
    """

    def __init__(self, root: Path | str) -> None:
        self._root = Path(root)
        self._handles: dict[Path, _Handle] = {}

    def append(
        self, model: str, table: str, rows: pa.Table, positions: Mapping[str, int], marks: Mapping[str, int] | None = None
    ) -> int:
        """Store rows and how far their sources were read, in one commit. The first append makes the table.

        Args:
            model: the model's name.
            table: `predictions` or `outcomes`.
            rows: as `table_schema` says; the date is added here.
            positions: next offset to read, keyed `topic/partition`; at least one, each greater than the stored one.
            marks: further numbers to remember with the rows that may stand still but not fall, such as watermarks.

        Returns:
            The table's new version.

        Raises:
            LakeError: a position isn't greater than the stored one, the rows don't fit the table, or it can't be written.
        """
        if not positions:
            raise LakeError(f"{model}/{table}: an append needs the positions that its rows came from")
        transactions = {_POSITION + key: offset for key, offset in positions.items()}
        with _explained(model, table):
            handle = self._open(model, table) or self._create(model, table, rows.schema)
            for name, offset in transactions.items():
                stored = handle.transaction_version(name)
                if stored is not None and offset <= stored:
                    raise LakeError(
                        f"{model}/{table}: {name.removeprefix(_POSITION)} is stored up to {stored}, refusing {offset}"
                    )
            for key, value in (marks or {}).items():
                stored = handle.transaction_version(_MARK + key)
                if stored is None or value > stored:
                    transactions[_MARK + key] = value
            return _commit(handle, dated(rows, table), transactions)

    def import_history(self, model: str, schema: ModelSchema, rows: pa.Table, name: str) -> bool:
        """Store rows that were collected before driftwake served the model, once per `name`.

        Args:
            model: the model's name.
            schema: the model's columns.
            rows: id, time_ms, every declared column, label and known_ms (both null where no label is known).
            name: what this history is called; a name that was imported before changes nothing.

        Returns:
            Whether anything was stored: false when all of it was there already.

        Raises:
            LakeError: a column is missing or has the wrong type, or a table can't be written.
        """
        stored = False
        for table, part in as_tables(schema, rows).items():
            with _explained(model, table):
                handle = self._open(model, table) or self._create(model, table, part.schema)
                if handle.transaction_version(HISTORY_MARK + name) is None:
                    _commit(handle, dated(part, table), {HISTORY_MARK + name: 1})
                    stored = True
        return stored

    def read(
        self,
        model: str,
        table: str,
        columns: Sequence[str] | None = None,
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
        time_column: str = "time_ms",
        version: int | None = None,
    ) -> pa.Table:
        """Return the rows with `time_column` in [since_ms, until_ms), ordered by it and then by the request's position.

        Only the columns asked for (and those of the order) are read; files of other days or times are skipped.

        Args:
            model: the model's name.
            table: `predictions` or `outcomes`.
            columns: which, in this order; all but the date when None.
            since_ms: inclusive, None for from the beginning.
            until_ms: exclusive, None for to the end.
            time_column: `time_ms`, or `known_ms` of outcomes.
            version: read the table as it was at this version (a lineage); the newest when None.

        Raises:
            LakeError: there is no such table, version or column.
        """
        event_time(table)
        with _explained(model, table):
            handle = self._existing(model, table, version)
            dataset = _dataset(handle, self._path(model, table), time_column, since_ms, until_ms)
            wanted = list(columns) if columns is not None else [name for name in dataset.schema.names if name != DATE]
            order = [name for name in dict.fromkeys((time_column, *_ORDER)) if name in dataset.schema.names]
            found = dataset.to_table(
                columns=list(dict.fromkeys((*wanted, *order))),
                filter=_between(time_column, since_ms, until_ms),
            )
            return found.sort_by([(name, "ascending") for name in order]).select(wanted)

    def positions(self, model: str, table: str, version: int | None = None) -> dict[str, int]:
        """Return the next offset to read per `topic/partition`; empty when nothing was stored yet.

        With a `version` it is what goes with `read` at that version: behind its rows, the log goes on exactly there.

        Raises:
            LakeError: the table can't be read.
        """
        return self._transactions(model, table, _POSITION, version)

    def marks(self, model: str, table: str) -> dict[str, int]:
        """Return the marks that were stored with the rows; empty when nothing was stored yet.

        Raises:
            LakeError: the table can't be read.
        """
        return self._transactions(model, table, _MARK, None)

    def exists(self, model: str, table: str) -> bool:
        """Say whether anything was ever stored."""
        return DeltaTable.is_deltatable(str(self._path(model, table)))

    def version(self, model: str, table: str) -> int:
        """Return the table's newest version, for a lineage.

        Raises:
            LakeError: there is no such table.
        """
        with _explained(model, table):
            return self._existing(model, table).version()

    def _transactions(self, model: str, table: str, prefix: str, version: int | None) -> dict[str, int]:
        with _explained(model, table):
            handle = self._open(model, table, version)
            names = [name for name in _known(handle) if name.startswith(prefix)] if handle else []
            versions = {name.removeprefix(prefix): handle.transaction_version(name) for name in names} if handle else {}
        return {name: version for name, version in versions.items() if version is not None}

    def _path(self, model: str, table: str) -> Path:
        if _MODEL.fullmatch(model) is None:
            raise LakeError(f"model name {model!r}: use letters, digits, dots, dashes and underscores")
        event_time(table)
        return self._root / model / table

    def _open(self, model: str, table: str, version: int | None = None) -> DeltaTable | None:
        path = self._path(model, table)
        if version is not None:
            # Not through the handle that is kept: a commit meanwhile would move it on.
            return DeltaTable(path, version=version) if DeltaTable.is_deltatable(str(path)) else None
        kept = self._handles.get(path)
        if kept is not None and kept.is_of(path):
            handle = kept.table
            handle.update_incremental()
        elif DeltaTable.is_deltatable(str(path)):
            handle = DeltaTable(path)
            self._handles[path] = _Handle(handle, handle.version())
        else:
            return None
        return handle

    def _existing(self, model: str, table: str, version: int | None = None) -> DeltaTable:
        handle = self._open(model, table, version)
        if handle is None:
            raise LakeError(f"the lake has no {table} of {model} yet")
        return handle

    def _create(self, model: str, table: str, schema: pa.Schema) -> DeltaTable:
        path = self._path(model, table)
        path.mkdir(parents=True, exist_ok=True)
        return DeltaTable.create(path, schema=schema.append(pa.field(DATE, pa.date32())), partition_by=[DATE])


def _commit(handle: DeltaTable, rows: pa.Table, transactions: Mapping[str, int]) -> int:
    """Append in one commit. Delta can't list app transactions, so each commit also names all that there are."""
    known = sorted({*_known(handle), *transactions})
    properties = CommitProperties(
        custom_metadata={_KNOWN: json.dumps(known)},
        app_transactions=[Transaction(name, version) for name, version in transactions.items()],
        max_commit_retries=0,
    )
    write_deltalake(handle, rows, mode="append", commit_properties=properties)
    return handle.version()


def _known(handle: DeltaTable) -> list[str]:
    """Read the names of all app transactions from the newest commit of ours (a compaction by hand has none)."""
    for limit in (1, None):
        for commit in handle.history(limit):
            if _KNOWN in commit:
                return list(json.loads(commit[_KNOWN]))
    return []


def _dataset(handle: DeltaTable, path: Path, time_column: str, since_ms: int | None, until_ms: int | None) -> Any:
    """Return the files that can hold rows of a span of time.

    Delta's own data set is built with all statistics of every file, which takes longer than reading hundreds of small files.
    """
    # It brings pandas with it, 50 MiB and a fifth of a second, and only who reads needs it.
    import pyarrow.dataset as ds

    if handle.protocol().min_reader_version > 1:
        raise LakeError(
            f"{path.name}: another tool has switched on features of Delta that aren't read here (deletion vectors, "
            "column mapping); rewrite the table without them"
        )
    added = pa.table(handle.get_add_actions(flatten=True))
    files = added.column("path").filter(_can_hold(added, path.name, time_column, since_ms, until_ms))
    schema, dates = pa.schema(handle.schema().to_arrow()), ds.partitioning(pa.schema([(DATE, pa.date32())]), flavor="hive")
    folder = pafs.SubTreeFileSystem(str(path), pafs.LocalFileSystem())
    return ds.dataset(sorted(files.to_pylist()), schema=schema, format="parquet", filesystem=folder, partitioning=dates)


def _can_hold(added: pa.Table, table: str, time_column: str, since_ms: int | None, until_ms: int | None) -> pa.Array:
    """Say of each file whether it can hold rows of a span of time: by its statistics, or where it has none by its day."""
    begins = pc.multiply(added.column(f"partition.{DATE}").cast(pa.int32()).cast(pa.int64()), DAY_MS)
    if EVENT_TIMES[table] != time_column:
        begins = pa.nulls(len(added), pa.int64())
    least = pc.coalesce(_statistic(added, f"min.{time_column}"), begins)
    most = pc.coalesce(_statistic(added, f"max.{time_column}"), pc.add(begins, DAY_MS - 1))
    can = pa.array([True] * len(added))
    # A file of which nothing is known may hold anything.
    if since_ms is not None:
        can = pc.and_(can, pc.fill_null(pc.greater_equal(most, since_ms), fill_value=True))
    if until_ms is not None:
        can = pc.and_(can, pc.fill_null(pc.less(least, until_ms), fill_value=True))
    return can


def _statistic(added: pa.Table, name: str) -> pa.ChunkedArray | pa.Array:
    """Return a statistic of each file; Delta keeps some of the first 32 columns only."""
    return added.column(name) if name in added.column_names else pa.nulls(len(added), pa.int64())


def _between(time_column: str, since_ms: int | None, until_ms: int | None) -> pc.Expression | None:
    filters = [pc.field(time_column) >= since_ms] if since_ms is not None else []
    filters += [pc.field(time_column) < until_ms] if until_ms is not None else []
    return functools.reduce(operator.and_, filters) if filters else None


@contextmanager
def _explained(model: str, table: str) -> Iterator[None]:
    try:
        yield
    except (DeltaError, pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise LakeError(f"{model}/{table}: {error}") from error
