"""A process that keeps a lake's table in order until it is killed: `python -m tests.kit.lake_keeper PLACE once|always VERSION`.

`once` does each thing once. `always` appends too, and says after each commit up to where it has written.
"""

from __future__ import annotations

import datetime as dt
import itertools
import sys

from streams.lake import compaction
from streams.lake.compaction import compact
from streams.lake.lake import Lake
from streams.lake.retention import expire, vacuum
from tests.kit.lakes import DAY, MODEL, many_commits

TABLE = "predictions"
DAYS = 3


def tidy(lake: Lake, spared: int, *, hours: int = 0) -> None:
    """Merge files, let the first day go, and all that only versions from before need, but for a spared one."""
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    compact(lake, MODEL, TABLE, left_ms=DAYS * DAY)
    expire(lake, MODEL, TABLE, before_ms=DAY)
    vacuum(lake, MODEL, TABLE, keep=dt.timedelta(hours=hours), spared=[spared], now=later)


def main() -> None:
    """Run from the command line."""
    place, mode, version = sys.argv[1:]
    lake = Lake(place)
    for number in itertools.count() if mode == "always" else [0]:
        if mode == "always":
            many_commits(lake, DAYS, 1)
            sys.stdout.write(f"{lake.positions(MODEL, TABLE)['t/0']}\n")
            sys.stdout.flush()
        if number % (compaction.FEW + 1) == 0:
            tidy(lake, int(version))


if __name__ == "__main__":
    main()
