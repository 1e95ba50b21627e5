"""A log that is whole says how many requests are usual, and how many of them are alike; the rows of a training don't."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from skills._kit.usual import Later, Rows, Watch, views_of
from streams.detectors.base import Requests
from streams.detectors.checks import DAY_MS, World

WATCH = Watch(bucket_ms=DAY_MS, detectors=(), confirm_after=2, clear_after=3, alarm_rate=0.01, min_rows=3)


def test_requests_and_contents_are_counted_of_a_whole_log_alone() -> None:
    days = [0, 0, 0, 0, 1, 3, 3, 4, 4]
    table = pa.table(
        {
            "time_ms": pa.array([day * DAY_MS + place for place, day in enumerate(days)], pa.int64()),
            "size": [1.0, 1.0, None, 2.0, 1e6, 5.0, 5.0, 1.0, 2.0],
            "weight": [1.0, 1.0, None, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
            "colour": ["red", "red", None, "red", "red", "blue", "blue", "red", "red"],
        }
    )
    empty = np.empty(0)
    rows = Rows(table, Later(empty.astype(np.int64), empty.astype(np.int64), empty, empty))
    world = World(0)
    whole = views_of(WATCH, world.manifest, world.profile, rows, reads_sample=False, is_whole=True)
    # One row of the first day has nothing at all, and that of the second is a million.
    known = [Requests(4, 1), Requests(1, 1), None, Requests(2, 0), None]
    assert [view.requests for view in whole] == known, "none of a day without any, and the log may end within the last"
    assert [view.inputs is None for view in whole] == [False, True, True, True, True], "too few to say anything else"
    assert whole[0].inputs is not None
    assert sorted(count for _, count in whole[0].inputs.contents) == [1, 1, 2]
    for view in views_of(WATCH, world.manifest, world.profile, rows, reads_sample=False):
        assert view.requests is None
        assert view.inputs is None or view.inputs.contents == []
