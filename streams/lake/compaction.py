"""Compaction: the many small files of a day become few, with the same rows in them."""

from __future__ import annotations

from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from streams.lake.lake import Lake
from streams.lake.tables import DATE, day_of, explained

TARGET_BYTES: Final = 128 << 20
"""Size that files are merged up to. One of at least half of it is left as it is, so that no row is written again and again."""

FEW: Final = 4
"""Small files that a day may keep once no more rows come to it: a day of a replay has one to three."""

MANY: Final = 100
"""Small files that any other day may have before they are merged: live, a commit every ten seconds makes 360 an hour."""

MOST: Final = 2_000
"""Small files after which no further day is begun, so that appends don't wait for long."""


class Compacted(NamedTuple):
    """How many files were merged, into how many."""

    merged: int
    made: int


def compact(lake: Lake, model: str, table: str, *, left_ms: int) -> Compacted:
    """Merge the small files of days that have too many, oldest first, in one commit without any new row.

    Whoever reads sees the files of before or those of after, and older versions keep theirs until a vacuum. A crash leaves at
    most files that no version names. Transactions aren't touched.

    Args:
        lake: where; only its one writer may call this, between two appends.
        model: the model's name.
        table: which of the lake's.
        left_ms: event time before which no more rows are expected; days before its own are merged down to a few files.

    Raises:
        LakeError: the table can't be read or written, or someone else has removed the same files meanwhile.
    """
    with explained(model, table):
        handle = lake.handle(model, table)
        days = _crowded(handle, left_ms) if handle is not None else []
        if handle is None or not days:
            return Compacted(0, 0)
        # One task at a time: this goes on beside the stages that answer requests.
        found = handle.optimize.compact(partition_filters=[(DATE, "in", days)], target_size=TARGET_BYTES, max_concurrent_tasks=1)
        return Compacted(int(found["numFilesRemoved"]), int(found["numFilesAdded"]))


def _crowded(handle: DeltaTable, left_ms: int) -> list[str]:
    """Return the days whose files are to be merged, as partitions write them."""
    files = pa.table(handle.get_add_actions(flatten=True).select([f"partition.{DATE}", "size_bytes"]))
    small = pc.less(files.column("size_bytes"), TARGET_BYTES // 2)
    counted = pc.value_counts(files.column(f"partition.{DATE}").filter(small))
    crowded = counted.filter(pc.greater(counted.field("counts"), FEW)).to_pylist()
    open_day = day_of(pa.scalar(left_ms)).as_py()
    chosen, total = [], 0
    for day, count in sorted((found["values"], found["counts"]) for found in crowded):
        if total < MOST and count > (FEW if day < open_day else MANY):
            chosen.append(day.isoformat())
            total += count
    return chosen
