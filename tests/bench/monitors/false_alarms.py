"""How many alarms a month chance raises in streams that stay as they are, beside what was asked for.

Each world has a reference of its own, learns from it what is usual, and goes on. The alarms are the events that monitoring itself
confirms. Effect floors are off: they only take alarms away, and what is measured here is the rate that is left to chance.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats

from streams.calibration.learning import Asked, learn_normal, read_history
from streams.calibration.panel import Panel
from streams.contracts.bundle import Normal
from streams.detectors.base import BucketView, Floors, Setup
from streams.monitoring.buckets import Bucket
from streams.monitoring.config import MonitoredModel, MonitoringConfig
from streams.monitoring.watching import Reference, Watcher
from streams.runtime.durations import Duration
from streams.statistics.alarms import Course
from tests.bench.monitors.worlds import HOUR_MS, KINDS, Shape, World

screen = Console()

MONTH_HOURS = 720
MODEL = MonitoredModel("m", "binary", "s", "state", "events", 1, HOUR_MS)
NO_FLOORS = Floors(**dict.fromkeys(Floors.model_fields, 0))


class Job(NamedTuple):
    """One world: its shape and seed, weeks to learn from, months to go on, and false alarms a month that may be."""

    shape: Shape
    seed: int
    weeks: int
    months: int
    rate: float


def learnt(world: World, views: Sequence[BucketView], config: MonitoringConfig, seed: int) -> Normal | None:
    """Learn from a world's history what is usual of it."""
    panel = Panel(config.detectors, Setup(world.manifest, world.profile, config.effect_floors, HOUR_MS))
    asked = Asked(config.alarm_rate(HOUR_MS), Course(config.confirm_after, config.clear_after), HOUR_MS)
    try:
        return learn_normal(panel, read_history(panel, views), asked, np.random.default_rng(seed))
    finally:
        panel.close()


def alarms(asked: Job) -> int:
    """Return how many alarms were confirmed."""
    config = MonitoringConfig(false_alarms_per_month=asked.rate, effect_floors=NO_FLOORS, cooldown=Duration(0))
    world = World(asked.shape, asked.seed)
    views = world.reference(asked.weeks * 168)
    profile = msgspec.structs.replace(world.profile, normal=learnt(world, views, config, asked.seed))
    watcher = Watcher(MODEL, config, lambda digest: Reference(world.manifest, profile))
    confirmed, is_on = 0, set[str]()
    for view in world.go_on(asked.months * MONTH_HOURS):
        assert view.inputs is not None
        for event in watcher.look(Bucket(view.start_ms, view.end_ms, {"d": [view.inputs]}, {})).events:
            if event.transition == "confirmed" and event.detector not in is_on:
                confirmed += 1
                is_on.add(event.detector)
            if event.transition == "cleared":
                is_on.discard(event.detector)
    watcher.close()
    return confirmed


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.monitors.false_alarms", description=__doc__)
    parser.add_argument("--months", type=int, default=200, help="simulated months of each row")
    parser.add_argument("--worlds", type=int, default=10, help="references that they are divided among")
    parser.add_argument("--weeks", type=int, default=8, help="history that each learns from")
    parser.add_argument("--rate", type=float, default=2.0, help="false alarms a month that are asked for")
    parser.add_argument("--features", type=int, nargs="+", default=[5, 20, 100])
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    table = Table("stream", "features", "months", "alarms", "a month", "asked", "95 % interval", "held")
    missed = 0
    with multiprocessing.Pool(options.jobs) as pool:
        for kind in options.kinds:
            for features in options.features:
                each = -(-options.months // options.worlds)
                jobs = [Job(Shape(kind, features), seed, options.weeks, each, options.rate) for seed in range(options.worlds)]
                found = pool.map(alarms, jobs, chunksize=1)
                total, months = sum(found), each * options.worlds
                low, high = stats.chi2.ppf(0.025, 2 * total) / 2 if total else 0.0, stats.chi2.ppf(0.975, 2 * total + 2) / 2
                is_held = options.rate / 2 <= total / months <= options.rate * 2
                missed += not is_held
                screen.print(kind, features, found)
                table.add_row(
                    kind, str(features), str(months), str(total), f"{total / months:.2f}", f"{options.rate:g}",
                    f"{low / months:.2f} to {high / months:.2f}", "yes" if is_held else "MISSED",
                )  # fmt: skip
    screen.print(table)
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
