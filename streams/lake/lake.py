"""The lake: each model's predictions, outcomes, labels and looked-up facts as Delta tables, every row once.

One process writes a model's tables; any number of others read them meanwhile (Delta readers see whole commits).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
from deltalake import DeltaTable
from pyarrow.fs import FileType

from streams.contracts.errors import LakeError
from streams.contracts.schema import ModelSchema
from streams.lake.files import chosen, data_set, file_system
from streams.lake.history import HISTORY_MARK, as_tables
from streams.lake.place import checked, folder_of
from streams.lake.tables import DATE, as_in, check_names, dated, event_time, explained, hidden_in, mark_in, read_time, widen
from streams.lake.transactions import commit, transactions

_POSITION: Final = "position:"
_MARK: Final = "mark:"
_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# Each commit makes the next through the same handle 0.1 ms slower: 12 ms when just opened, 49 after 450 commits.
_REOPEN_AFTER: Final = 50
_ORDER: Final = ("partition", "offset", "revision")
# Rows that are handed out at once by who hands out a table piece by piece.
_AT_ONCE: Final = 16_384
# Which commits may go is for `streams/lake/log.py` to say: Delta's own clean-up knows no lineages.
_PROPERTIES: Final = {"delta.enableExpiredLogCleanup": "false"}


class _Handle(NamedTuple):
    """An open table, and at which version it was opened."""

    table: DeltaTable
    opened: int

    def is_of(self, location: str) -> bool:
        """Say whether it is the table at a location, where someone may have put another one, and opened not long ago."""
        version = self.table.version()
        if version >= self.opened + _REOPEN_AFTER:
            return False
        return bool(file_system(location).get_file_info(f"_delta_log/{version:020}.json").type == FileType.File)


class Lake:
    """The tables under one folder or URL, `{root}/{model}/{table}`.

    Exactly once: each append carries, as Delta app transactions in the same commit, the next offset to read of every
    topic-partition that its rows came from. An append whose offset isn't greater than the stored one is refused, by the
    version of the very handle that commits (Delta itself would accept a lower one and move back); a commit by someone else
    in between fails. So after a crash the writer asks for `positions` and goes on from there.

    Tags are enforced here: a tagged column whose values are kept and that nobody has granted is handed to nobody, except to
    who says that it groups rows by it and shows no value. Which columns these are the tables say themselves, so that it doesn't
    depend on who reads.

    An open table is brought up to date at each use, which takes 4 ms where opening it takes 25. Threads may read a table at
    the same time, but only one may append to it.

    Args:
        root: a folder, or a URL of S3 (`s3://`), Google Cloud Storage (`gs://`) or Azure (`az://`, `abfss://`), which is opened
            with what the environment says (`AWS_*`, `GOOGLE_*`, `AZURE_*`).

    Raises:
        LakeError: the URL is none of these.
    """

    def __init__(self, root: Path | str) -> None:
        try:
            folder = folder_of(checked(str(root)))
        except ValueError as error:
            raise LakeError(f"the lake's place {error}") from error
        self.root = str(folder) if folder is not None else str(root).rstrip("/")
        self._handles: dict[str, _Handle] = {}

    def append(
        self, model: str, table: str, rows: pa.Table, positions: Mapping[str, int], marks: Mapping[str, int] | None = None
    ) -> int:
        """Store rows and how far their sources were read, in one commit. The first append makes the table, new columns widen it.

        Args:
            model: the model's name.
            table: `predictions`, `outcomes`, `labels`, or `source_NAME` of a registered source.
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
        numbers = {_POSITION + key: offset for key, offset in positions.items()}
        with explained(model, table):
            handle = self._open(model, table) or self._create(model, table, rows.schema)
            for name, offset in numbers.items():
                stored = handle.transaction_version(name)
                if stored is not None and offset <= stored:
                    raise LakeError(
                        f"{model}/{table}: {name.removeprefix(_POSITION)} is stored up to {stored}, refusing {offset}"
                    )
            for key, value in (marks or {}).items():
                stored = handle.transaction_version(_MARK + key)
                if stored is None or value > stored:
                    numbers[_MARK + key] = value
            widen(handle, rows.schema)
            return commit(handle, as_in(handle, dated(rows, table)), numbers)

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
            with explained(model, table):
                handle = self._open(model, table) or self._create(model, table, part.schema)
                if handle.transaction_version(HISTORY_MARK + name) is None:
                    widen(handle, part.schema)
                    commit(handle, as_in(handle, dated(part, table)), {HISTORY_MARK + name: 1})
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
        time_column: str | None = None,
        version: int | None = None,
        among: Mapping[str, Collection[Any]] | None = None,
        keys: Collection[str] = (),
        one_in: int = 1,
    ) -> pa.Table:
        """Return the rows with `time_column` in [since_ms, until_ms), ordered by it and then by the request's position.

        Only the columns asked for (and those of the order) are read; files of other days or times are skipped.

        Args:
            model: the model's name.
            table: `predictions`, `outcomes`, `labels`, or `source_NAME` of a registered source.
            columns: which, in this order; all but the date and hidden ones when None.
            since_ms: inclusive, None for from the beginning.
            until_ms: exclusive, None for to the end.
            time_column: `time_ms`, or `known_ms` of outcomes and labels; when None `time_ms` where the table has it.
            version: read the table as it was at this version (a lineage); the newest when None.
            among: only rows whose columns have one of some values, by column.
            keys: columns that only group rows, for windows: what becomes of them shows no value. Hidden ones can be read so.
            one_in: a power of 2; only the rows of about one request in so many, the same ones in each table that has requests.

        Raises:
            LakeError: there is no such table, version or column, or a column is hidden.
        """
        time = time_column or read_time(table)
        with explained(model, table):
            handle, span = self._existing(model, table, version), (since_ms, until_ms)
            files = data_set(handle, self.location(model, table), table, time, span)
            hidden = hidden_in(handle if version is None else self._existing(model, table)) - {*keys}
            wanted = list(columns) if columns is not None else [one for one in files.schema.names if one not in {DATE, *hidden}]
            _check_asked(f"{model}/{table}", {*wanted, *(among or {})}, {*files.schema.names}, hidden)
            order = [name for name in dict.fromkeys((time, *_ORDER)) if name in files.schema.names]
            found = files.to_table(columns=list(dict.fromkeys((*wanted, *order))), filter=chosen(time, span, among or {}, one_in))
            return found.sort_by([(name, "ascending") for name in order]).select(wanted)

    def count(
        self, model: str, table: str, *, since_ms: int | None = None, until_ms: int | None = None, time_column: str | None = None
    ) -> int:
        """Return how many rows `read` would, of which no more than some thousands are held.

        Raises:
            LakeError: there is no such table or column.
        """
        time, span = time_column or read_time(table), (since_ms, until_ms)
        with explained(model, table):
            handle = self._existing(model, table)
            files = data_set(handle, self.location(model, table), table, time, span)
            return int(files.count_rows(filter=chosen(time, span, {})))

    def scan(
        self,
        model: str,
        table: str,
        columns: Sequence[str],
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
        time_column: str | None = None,
        keys: Collection[str] = (),
    ) -> Iterator[pa.Table]:
        """Give the rows that `read` returns piece by piece, so that no more than some thousands are held, however many there are.

        The files of the newest days come first; beyond that they are in no order.

        Args:
            model: the model's name.
            table: as of `read`.
            columns: which, in this order.
            since_ms: inclusive, None for from the beginning.
            until_ms: exclusive, None for to the end.
            time_column: as of `read`.
            keys: as of `read`.

        Raises:
            LakeError: there is no such table or column, or a column is hidden.
        """
        time, span, wanted = time_column or read_time(table), (since_ms, until_ms), list(columns)
        with explained(model, table):
            handle = self._existing(model, table)
            files = data_set(handle, self.location(model, table), table, time, span, newest_first=True)
            _check_asked(f"{model}/{table}", {*wanted}, {*files.schema.names}, hidden_in(handle) - {*keys})
            reader = files.scanner(
                columns=wanted, filter=chosen(time, span, {}), batch_size=_AT_ONCE, batch_readahead=1, fragment_readahead=1
            )
            for batch in reader.to_batches():
                if batch.num_rows:
                    yield pa.Table.from_batches([batch])

    def hidden(self, model: str, table: str) -> frozenset[str]:
        """Return the columns that nobody is handed; none where nothing was stored yet.

        Raises:
            LakeError: the table can't be read.
        """
        with explained(model, table):
            handle = self._open(model, table)
            return hidden_in(handle) if handle is not None else frozenset()

    def fit(self, model: str, table: str, schema: pa.Schema) -> None:
        """Bring a table that is there to what is declared now; one that isn't is made so.

        It gets the columns that it lacks, and from now on hides, in all versions, of the declared columns exactly those that
        nobody is handed. Columns that are declared no more stay as they are, and are null in new rows.

        Args:
            model: the model's name.
            table: its name.
            schema: as `table_schema` says.

        Raises:
            LakeError: a column is there with another type, or the table can't be read or written.
        """
        with explained(model, table):
            handle = self._open(model, table)
            if handle is not None:
                widen(handle, schema)
                mark_in(handle, schema)

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
        """Say whether anything was ever stored.

        Raises:
            LakeError: nobody can say, because an object store doesn't answer.
        """
        with explained(model, table):
            return DeltaTable.is_deltatable(self.location(model, table))

    def version(self, model: str, table: str) -> int:
        """Return the table's newest version, for a lineage.

        Raises:
            LakeError: there is no such table.
        """
        with explained(model, table):
            return self._existing(model, table).version()

    def location(self, model: str, table: str) -> str:
        """Return the folder or URL of a table.

        Raises:
            LakeError: there can be no such model or table.
        """
        if _MODEL.fullmatch(model) is None:
            raise LakeError(f"model name {model!r}: use letters, digits, dots, dashes and underscores")
        event_time(table)
        return f"{self.root}/{model}/{table}"

    def handle(self, model: str, table: str) -> DeltaTable | None:
        """Return a table as it is now, for who keeps it in order between two appends; None when nothing was stored yet.

        Raises:
            LakeError: it can't be read.
        """
        with explained(model, table):
            return self._open(model, table)

    def _transactions(self, model: str, table: str, prefix: str, version: int | None) -> dict[str, int]:
        with explained(model, table):
            handle = self._open(model, table, version)
            return transactions(handle, prefix) if handle else {}

    def _open(self, model: str, table: str, version: int | None = None) -> DeltaTable | None:
        location = self.location(model, table)
        if version is not None:
            # Not through the handle that is kept: a commit meanwhile would move it on.
            return DeltaTable(location, version=version) if DeltaTable.is_deltatable(location) else None
        kept = self._handles.get(location)
        if kept is not None and kept.is_of(location):
            handle = kept.table
            handle.update_incremental()
        elif DeltaTable.is_deltatable(location):
            handle = DeltaTable(location)
            self._handles[location] = _Handle(handle, handle.version())
        else:
            return None
        return handle

    def _existing(self, model: str, table: str, version: int | None = None) -> DeltaTable:
        handle = self._open(model, table, version)
        if handle is None:
            raise LakeError(f"the lake has no {table} of {model} yet")
        return handle

    def _create(self, model: str, table: str, schema: pa.Schema) -> DeltaTable:
        check_names(schema.names)
        dated_schema = schema.append(pa.field(DATE, pa.date32()))
        location = self.location(model, table)
        return DeltaTable.create(location, schema=dated_schema, partition_by=[DATE], configuration=_PROPERTIES)


def _check_asked(place: str, asked: set[str], known: set[str], hidden: frozenset[str]) -> None:
    """Refuse columns that a table hasn't, or that nobody is handed."""
    if unknown := asked - known:
        raise LakeError(f"{place}: there is no column {', '.join(sorted(unknown))}")
    if refused := asked & hidden:
        raise LakeError(
            f"{place}: {', '.join(sorted(refused))} is tagged, and nobody may see its values; leave it out, "
            "or have whoever may decide that say `granted: true` of it in the config"
        )
