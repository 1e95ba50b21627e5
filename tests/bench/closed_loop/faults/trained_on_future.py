"""A model that has learned by heart what it will be judged on, and little else.

Its maker took the newest labelled rows (which a judge at this moment seals), forgot when their labels were known, and split
them at random: as if the future of every row were there to learn from. So the rows' own columns are enough, no window seems
to be needed, and its own validation and the sealed window look better than any honest model's (AUC 0.97 where the first
champion has 0.93, on card payments). Of rows that come it knows little (0.62 against 0.91). It isn't trained on rows that are
still to come: that would make it right about them, which nobody can be.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.bench.closed_loop.faults.base import Ground

KIND = "trained_on_future"
# Trees that grow until every row has a leaf of its own.
UNRESTRAINED = {"max_depth": 14, "min_child_weight": 0.0, "subsample": 1.0, "eta": 0.1, "rounds": 100}


async def make(ground: Ground, time_ms: int) -> str:
    """Train and publish the bundle, and return its digest."""
    until_ms = await ground.archived(time_ms)
    data = await ground.by_hand.dataset(KIND, until_ms, ground.model.planning.sealed.ms, 1)
    table = Path(data["train"])
    twice = table.with_name("twice.parquet")
    pq.write_table(seen_twice(pq.read_table(table)), twice)
    return await ground.by_hand.train(KIND, str(twice), parameters=dict(UNRESTRAINED))


def seen_twice(rows: pa.Table) -> pa.Table:
    """Put a copy of every row after all of them: whatever split by time is made, the later side was seen on the earlier one.

    Labels count as known at once. [rows] becomes [2 * rows].
    """
    time_ms = rows.column("time_ms")
    span_ms = pc.max(time_ms).as_py() - pc.min(time_ms).as_py() + 1
    early = _with(rows, known_ms=time_ms)
    copies = _with(early, time_ms=pc.add(time_ms, span_ms), known_ms=pc.add(time_ms, span_ms))
    return pa.concat_tables([early, _with(copies, id=pc.binary_join_element_wise(rows.column("id"), "again", "-"))])


def _with(rows: pa.Table, **columns: pa.ChunkedArray) -> pa.Table:
    for name, values in columns.items():
        field = rows.schema.field(name)
        rows = rows.set_column(rows.schema.get_field_index(name), field, values.cast(field.type))
    return rows
