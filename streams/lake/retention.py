"""Retention: what goes from the lake, rows by their age in event time and files by how long no version needs them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from streams.lake.files import file_system
from streams.lake.lake import Lake
from streams.lake.log import TableLog
from streams.lake.tables import DATE, day_of, explained
from streams.lake.transactions import known

_KEPT: Final = "delta.deletedFileRetentionDuration"
_CLEANED: Final = "delta.enableExpiredLogCleanup"


class Vacuumed(NamedTuple):
    """How many files of rows and of the log were deleted, and which versions that were to be spared can't be read any more.

    Until the next checkpoint Delta deletes, and counts, files of rows once more.
    """

    files: int
    commits: int
    lost: list[int]


def expire(lake: Lake, model: str, table: str, *, before_ms: int) -> int:
    """Take whole days out of the newest version of a table: those that end at or before a moment.

    Versions from before still have them, until a vacuum. Positions stay.

    Returns:
        How many days went.

    Raises:
        LakeError: the table can't be read or written.
    """
    with explained(model, table):
        handle = lake.handle(model, table)
        if handle is None:
            return 0
        first = day_of(pa.scalar(before_ms))
        added = pa.table(handle.get_add_actions(flatten=True).select([f"partition.{DATE}"]))
        days = pc.unique(added.column(0))
        old = int(pc.sum(pc.less(days, first)).as_py() or 0)
        if old:
            handle.delete(f"{DATE} < DATE '{first.as_py().isoformat()}'")
        return old


def vacuum(lake: Lake, model: str, table: str, *, keep: dt.timedelta, spared: Collection[int], now: dt.datetime) -> Vacuumed:
    """Delete what only versions older than `keep` need, except what the spared versions do.

    A crash at any moment leaves a table that can be read: only what no version that stays needs is deleted.

    Args:
        lake: where; only its one writer may call this, between two appends.
        model: the model's name.
        table: which of the lake's.
        keep: how long who reads a version that was the newest may take, in wall time; whole hours, rounded up.
        spared: versions that stay readable, however old; such as the table never had don't count.
        now: wall time, for the log; how old files of rows are, Delta reads from the machine's clock.

    Raises:
        LakeError: the table can't be read or written.
    """
    with explained(model, table):
        handle = lake.handle(model, table)
        if handle is None:
            return Vacuumed(0, 0, [])
        hours = math.ceil(keep / dt.timedelta(hours=1))
        _settle(handle, hours)
        log = TableLog(file_system(lake.location(model, table)))
        had = {version for version in spared if version <= handle.version()}
        kept = sorted(version for version in had if log.tells(version))
        # All that lies there is looked through: what a crash left behind is in no log.
        deleted = handle.vacuum(hours, dry_run=False, enforce_retention_duration=False, full=True, keep_versions=kept or None)
        trimmed = log.trim(newest=known(handle).version, spared=kept, before=now - dt.timedelta(hours=hours))
        return Vacuumed(len(deleted), trimmed, sorted(had - {*kept}))


def _settle(handle: DeltaTable, hours: int) -> None:
    """Let Delta remember removed files for as long as they stay, and leave its log alone; tables of before don't say so."""
    wanted = {_KEPT: f"interval {hours} hours", _CLEANED: "false"}
    configuration = handle.metadata().configuration
    if {name: configuration.get(name) for name in wanted} != wanted:
        handle.alter.set_table_properties(wanted)
