"""Driftwake's monitors beside Evidently, NannyML, alibi-detect and River, at their defaults and at an equal false-alarm rate.

All are shown the same rows, a hundred an hour: eight weeks of history to learn from, calm ones, then a change that lasts.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
from functools import cache
from multiprocessing.pool import Pool
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console

from streams.monitoring.config import MonitoringConfig
from streams.monitoring.watching import Reference
from tests.bench.monitors.rivals import files, product, worlds
from tests.bench.monitors.rivals.environment import run_there
from tests.bench.monitors.rivals.exchange import BEFORE, Asked, Delayed, Told, read_found, read_rows, write_found, write_plan
from tests.bench.monitors.rivals.scoring import ASKED, MONTH_BUCKETS, ROWS, alarms, first, setting_of
from tests.bench.monitors.rivals.table import OWN, rows_of, show

HISTORY = 8 * 168
_OWN_MONTHS = 10
# The other tools alarm by one bucket, so at the equal rate driftwake does too.
_GRID = (16.0, 8.0, 4.0, 2.0, 1.0)

screen = Console()


class Size(NamedTuple):
    """How much is drawn of a world: histories, streams with a change, and months of calm that settings are fitted on."""

    histories: int
    streams: int
    months: int


MADE, REAL = Size(8, 48, 10), Size(2, 20, 3)


class Job(NamedTuple):
    """One history of a world."""

    data: str
    told: Told
    history: int


class Calm(NamedTuple):
    """What driftwake said of calm months after one history: alarms by default, and at each setting of the grid."""

    by_default: int
    at: list[int]


class OwnFound(NamedTuple):
    """What driftwake said of changes after one history: by change the delays, with what was confirmed first."""

    delays: dict[str, dict[int, int | None]]
    why: dict[str, list[str]]


@cache
def world_of(data: str, name: str) -> worlds.World:
    """Make a world by its name."""
    file = next((one for one in files.FILES if one.name == name), None)
    return files.read(Path(data), file) if file is not None else worlds.made(int(name.split()[1]))


def equal(rate: float) -> MonitoringConfig:
    """Driftwake at a rate that is asked of it, without a second bucket."""
    return MonitoringConfig(false_alarms_per_month=rate, confirm_after=1)


def keep_calm(job: Job) -> Calm:
    """Write down one history and the calm streams, and watch calm months after it."""
    told, world = job.told, world_of(job.data, job.told.name)
    history = world.rows(HISTORY * ROWS, _generator(job, 0))
    history.to_parquet(told.history(job.history))
    # The history of `check` is another one than that of `fit`.
    if job.history < len(uses := ("fit", "check")):
        months = told.months if job.history == 0 else told.months / 2
        world.rows(int(months * MONTH_BUCKETS) * ROWS, _generator(job, 1)).to_parquet(told.calm(uses[job.history]))
    by_default = _count(job, world, product.learnt(world, history, job.history, MonitoringConfig()), MonitoringConfig())
    reference = product.learnt(world, history, job.history, equal(ASKED))
    return Calm(by_default, [_count(job, world, reference, equal(rate)) for rate in _GRID])


def check(job: Job, setting: float) -> int:
    """Watch the same calm months at a setting that they had no part in."""
    world = world_of(job.data, job.told.name)
    reference = product.learnt(world, read_rows(job.told.history(job.history)), job.history, equal(ASKED))
    return _count(job, world, reference, equal(setting))


def _count(job: Job, world: worlds.World, reference: Reference, config: MonitoringConfig) -> int:
    calm = world.rows(_OWN_MONTHS * MONTH_BUCKETS * ROWS, _generator(job, 2))
    return alarms(product.watched(reference, calm, HISTORY, product.counting(config)).up)


def play(job: Job, setting: float) -> tuple[OwnFound, OwnFound]:
    """Write down what follows one history, and watch it by default and at a setting."""
    told, world = job.told, world_of(job.data, job.told.name)
    history = read_rows(told.history(job.history))
    ways = [
        (config, product.learnt(world, history, job.history, learnt_for), OwnFound({}, {}))
        for config, learnt_for in ((MonitoringConfig(), MonitoringConfig()), (equal(setting), equal(ASKED)))
    ]
    for number, change in enumerate(world.changes):
        for _, _, found in ways:
            found.delays[change.name], found.why[change.name] = {}, []
        for stream in range(job.history, told.streams, told.histories):
            generator = _generator(job, 3, number, stream)
            before = world.rows(BEFORE * ROWS, generator)
            rows = pd.concat([before, world.rows(world.horizon * ROWS, generator, change)], ignore_index=True)
            rows.to_parquet(told.change(number, stream))
            for config, reference, found in ways:
                said = product.watched(reference, rows, HISTORY, config, BEFORE)
                found.delays[change.name][stream] = first(said.up[BEFORE:])
                found.why[change.name].append(said.why)
    return ways[0][2], ways[1][2]


def _generator(job: Job, *use: int) -> np.random.Generator:
    name = int.from_bytes(job.told.name.encode()[:8], "little")
    return np.random.default_rng([name, job.history, *use])


def _told(folder: Path, world: worlds.World, size: Size) -> Told:
    own = folder / world.name.replace(" ", "-").replace(",", "")
    own.mkdir(parents=True)
    changes = [(change.name, change.shows) for change in world.changes]
    return Told(world.name, str(own), list(world.numbers), list(world.categories), changes, world.horizon, *size)


def _delays(told: Told, found: list[OwnFound]) -> Delayed:
    return {
        change: [delay for _, delay in sorted({k: v for one in found for k, v in one.delays[change].items()}.items())]
        for change, _ in told.changes
    }


def _own(pool: Pool, told: Told, data: str) -> tuple[Asked, list[OwnFound]]:
    """Set driftwake on the first half of its histories, check its rate on the other, and show it the changes."""
    jobs = [Job(data, told, number) for number in range(told.histories)]
    calm = pool.map(keep_calm, jobs, chunksize=1)
    half = told.histories // 2
    months = float(_OWN_MONTHS * half)
    setting = setting_of(_GRID, [sum(one.at[place] for one in calm[:half]) for place in range(len(_GRID))], ASKED * months)
    found = pool.starmap(play, [(job, setting) for job in jobs], chunksize=1)
    checked = pool.starmap(check, [(job, setting) for job in jobs[half:]], chunksize=1)
    by_default = sum(one.by_default for one in calm)
    whole = float(_OWN_MONTHS * told.histories)
    said = Asked(
        told.name, OWN, "all", setting, (whole, whole - months), (by_default, sum(checked)),
        (_delays(told, [one for one, _ in found]), _delays(told, [one for _, one in found])),
    )  # fmt: skip
    return said, [one for one, _ in found]


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.monitors.rivals", description=__doc__)
    parser.add_argument("--python", type=Path, required=True, help="of the other tools' environment")
    parser.add_argument("--folder", type=Path, required=True, help="scratch; emptied first")
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="with the real files; those absent are left out"
    )
    parser.add_argument("--features", type=int, nargs="*", default=[5])
    parser.add_argument("--files", nargs="*", default=[file.name for file in files.FILES])
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    present = [file for file in files.FILES if file.name in options.files and (options.data / file.file).exists()]
    for name in sorted(set(options.files) - {file.name for file in present}):
        screen.print(f"{name}: left out, its file isn't in {options.data}")
    names = [*(f"normal, {number} features" for number in options.features), *(file.name for file in present)]
    data = str(options.data)
    plan = [
        _told(options.folder, world_of(data, name), REAL if name in {file.name for file in present} else MADE) for name in names
    ]
    write_plan(options.folder, plan)
    with multiprocessing.Pool(options.jobs) as pool:
        for told in plan:
            said_by_own, found = _own(pool, told, data)
            write_found(options.folder, f"{told.name} {OWN}", said_by_own)
            for change, _ in told.changes:
                screen.print(told.name, change, sorted({why for one in found for why in one.why[change]}))
    run_there(options.python, "tests.bench.monitors.rivals.asking", options.folder, "--jobs", options.jobs)
    said = read_found(options.folder)
    return int(show([row for told in plan for row in rows_of(told, said)]) > 0)


if __name__ == "__main__":
    raise SystemExit(main())
