"""The rows of a log as a bundle would have had them: with its windows, and scores of those that it wasn't made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skills._kit.errors import InputError, NoDataError
from skills._kit.features import Facts, longest_reach_ms
from skills._kit.frames import Floats, column_of, floats, integers, read_table, with_columns
from skills._kit.protected import protected
from skills._kit.scoring import score_table
from skills._kit.usual import Later, Rows
from streams.contracts.bundle import Manifest
from streams.contracts.features import Source
from streams.contracts.schema import ModelSchema
from streams.inference.session import open_bundle
from streams.inference.store import Bundle


class Logged(NamedTuple):
    """Where a log lies, and what its rows are called and protected by.

    `table` is a parquet file with `id`, `time_ms`, the declared columns as they came, `label` and `known_ms` (null where no label
    became known), and `score` where another server answered; where it is known, `RECEIVED` and `ANSWERED` are when the
    broker got the request and its prediction. `sources` are files of registered sources' records by name.
    """

    table: str
    sources: Mapping[str, str]
    schema: ModelSchema
    key_file: str | None


class History(NamedTuple):
    """The rows, and how many came before them that only fill the windows.

    Rows from `unseen_ms` on are not among those that the bundle was made of.
    """

    rows: Rows
    filling: int
    unseen_ms: int


def history_of(bundle: Bundle, logged: Logged) -> History:
    """Read a log for a bundle.

    Raises:
        SkillError: something can't be read, or there are no rows.
        BundleRefused: the bundle can't be opened.
    """
    manifest = bundle.manifest
    table = protected(read_table(logged.table), logged.schema, logged.key_file)
    table = table.sort_by([("time_ms", "ascending"), ("id", "ascending")])
    if not table.num_rows:
        raise NoDataError("the log has no rows")
    time_ms = integers(table, "time_ms")
    windows = manifest.windows
    begin = 0
    if windows:
        values = _facts(table, manifest, logged).columns(windows, table)
        table = with_columns(table, [window.name for window in windows], list(values.T))
        begin = int(np.searchsorted(time_ms, time_ms[0] + longest_reach_ms(windows, manifest.skew_ms)))
    if begin == table.num_rows:
        raise NoDataError("the log is shorter than the model's windows reach back, so that none of its rows has all of a window")
    table, time_ms = table.slice(begin), time_ms[begin:]
    # A model that is served elsewhere was made of what nobody here knows; its answers are its own.
    unseen_ms = int(time_ms[0]) if manifest.is_stand_in else max(manifest.golden.time_ms, default=-1) + 1
    later = table.slice(int(np.searchsorted(time_ms, unseen_ms)))
    return History(Rows(table, _later(bundle, later)), begin, unseen_ms)


def _facts(table: pa.Table, manifest: Manifest, logged: Logged) -> Facts:
    """What windows count: the log's requests, those with labels as outcomes, and the records of sources."""
    names = [column.name for column in manifest.schema.columns]
    for name in names:
        column_of(table, name)
    labelled = table.filter(pc.and_(pc.is_valid(table.column("label")), pc.is_valid(table.column("known_ms"))))
    labelled = labelled.sort_by([("known_ms", "ascending"), ("id", "ascending")])
    tables: dict[Source, pa.Table] = {
        "requests": table.select(["time_ms", *names]),
        "outcomes": labelled.select(["known_ms", *names, "label"]),
    }
    for name in {window.source for window in manifest.windows} - tables.keys():
        if name not in logged.sources:
            raise InputError(f"the bundle has windows over the source {name}: name a file with its records")
        columns = ModelSchema(columns=logged.schema.columns_of(name))
        tables[name] = protected(read_table(logged.sources[name]), columns, logged.key_file).sort_by("time_ms")
    return Facts(manifest.schema, tables, manifest.skew_ms)


def _later(bundle: Bundle, table: pa.Table) -> Later:
    scores = _scores(bundle, table)
    labels, known = floats(table, "label"), floats(table, "known_ms")
    is_known = np.isfinite(labels) & np.isfinite(known) & np.isfinite(scores)
    return Later(integers(table, "time_ms"), np.where(is_known, known, -1).astype(np.int64), labels, scores)


def _scores(bundle: Bundle, table: pa.Table) -> Floats:
    if not bundle.manifest.is_stand_in:
        return score_table(open_bundle(bundle), table)
    if "score" not in table.column_names:
        raise InputError("the bundle stands for a model that is served elsewhere: the log needs a column `score` of its answers")
    return floats(table, "score")
