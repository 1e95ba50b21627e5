"""How soon a shift of one feature among others is confirmed, at the stated rate of false alarms and the usual floors.

Each world learns what is usual from a history of its own; then it goes on for a while and one feature's mean moves for good.
"""

from __future__ import annotations

import argparse
import multiprocessing
from typing import NamedTuple

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from streams.detectors.base import BucketView
from streams.monitoring.buckets import Bucket
from streams.monitoring.config import MonitoringConfig
from streams.monitoring.watching import Reference, Watcher
from tests.bench.monitors.false_alarms import MODEL, learnt
from tests.bench.monitors.worlds import Shape, World

screen = Console()

SHIFTS = (0.1, 0.25, 0.5, 1.0)
BEFORE, WITHIN = 40, 100


class Job(NamedTuple):
    """One world: its shape, seed and weeks to learn from, the shift in standard deviations of a row, and how often it is made."""

    shape: Shape
    seed: int
    weeks: int
    shift: float
    times: int


def delays(job: Job) -> list[int | None]:
    """Return after how many buckets each shift was confirmed; None where it wasn't within `WITHIN`."""
    config = MonitoringConfig()
    world = World(job.shape, job.seed)
    views = world.reference(job.weeks * 168)
    profile = msgspec.structs.replace(world.profile, normal=learnt(world, views, config, job.seed))
    found: list[int | None] = []
    for _ in range(job.times):
        watcher = Watcher(MODEL, config, lambda digest: Reference(world.manifest, profile))
        for view in world.go_on(BEFORE):
            watcher.look(_bucket(view))
        is_confirmed = (
            any(event.transition == "confirmed" for event in watcher.look(_bucket(view)).events)
            for view in world.go_on(WITHIN, job.shift)
        )
        found.append(next((number for number, one in enumerate(is_confirmed, 1) if one), None))
        watcher.close()
    return found


def _bucket(view: BucketView) -> Bucket:
    return Bucket(view.start_ms, view.end_ms, {"d": [view.inputs]} if view.inputs is not None else {}, {})


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.monitors.delays", description=__doc__)
    parser.add_argument("--worlds", type=int, default=10)
    parser.add_argument("--times", type=int, default=5, help="shifts in each world")
    parser.add_argument("--weeks", type=int, default=6)
    parser.add_argument("--features", type=int, nargs="+", default=[5, 20])
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    table = Table("features", "shift", "found", "mean buckets", "median", "most")
    with multiprocessing.Pool(options.jobs) as pool:
        for features in options.features:
            for shift in SHIFTS:
                shape = Shape("independent", features)
                jobs = [Job(shape, seed, options.weeks, shift, options.times) for seed in range(options.worlds)]
                every = [delay for world in pool.map(delays, jobs, chunksize=1) for delay in world]
                found = [delay for delay in every if delay is not None]
                shown = [f"{measure(found):.1f}" if found else "-" for measure in (np.mean, np.median, np.max)]
                table.add_row(str(features), f"{shift:g}", f"{len(found)}/{len(every)}", *shown)
    screen.print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
