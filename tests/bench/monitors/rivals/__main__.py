"""Driftwake's monitors beside Evidently, NannyML, alibi-detect and River, at their defaults and at an equal false-alarm rate.

All are shown the same rows, a hundred an hour: eight weeks of history to learn from, calm ones, then a change that lasts.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console

from tests.bench.monitors.rivals import files, product, worlds
from tests.bench.monitors.rivals.environment import run_there
from tests.bench.monitors.rivals.exchange import BEFORE, Asked, Told, read_found, write_found, write_plan
from tests.bench.monitors.rivals.scoring import ASKED, MONTH_BUCKETS, ROWS, alarms, first
from tests.bench.monitors.rivals.table import OWN, rows_of, show

HISTORY = 8 * 168
_OWN_MONTHS = 10

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


class OwnFound(NamedTuple):
    """What driftwake said after one history: alarms in calm months, and by change the delays, with what was confirmed first."""

    alarms: int
    delays: dict[str, dict[int, int | None]]
    why: dict[str, list[str]]


@cache
def world_of(data: str, name: str) -> worlds.World:
    """Make a world by its name."""
    file = next((one for one in files.FILES if one.name == name), None)
    return files.read(Path(data), file).world if file is not None else worlds.made(int(name.split()[1]))


def play(job: Job) -> OwnFound:
    """Write down all rows of one history and what follows it, and watch them."""
    told, world = job.told, world_of(job.data, job.told.name)
    history = world.rows(HISTORY * ROWS, _generator(job, 0))
    history.to_parquet(told.history(job.history))
    # The history of `check` is another one than that of `fit`.
    if job.history < len(uses := ("fit", "check")):
        months = told.months if job.history == 0 else told.months / 2
        world.rows(int(months * MONTH_BUCKETS) * ROWS, _generator(job, 1)).to_parquet(told.calm(uses[job.history]))
    reference = product.learnt(world, history, job.history)
    calm = world.rows(_OWN_MONTHS * MONTH_BUCKETS * ROWS, _generator(job, 2))
    found = OwnFound(alarms(product.watched(reference, calm, HISTORY, repeats=True).up), {}, {})
    for number, change in enumerate(world.changes):
        found.delays[change.name], found.why[change.name] = {}, []
        for stream in range(job.history, told.streams, told.histories):
            generator = _generator(job, 3, number, stream)
            before = world.rows(BEFORE * ROWS, generator)
            rows = pd.concat([before, world.rows(world.horizon * ROWS, generator, change)], ignore_index=True)
            rows.to_parquet(told.change(number, stream))
            said = product.watched(reference, rows, HISTORY, BEFORE)
            found.delays[change.name][stream] = first(said.up[BEFORE:])
            found.why[change.name].append(said.why)
    return found


def _generator(job: Job, *use: int) -> np.random.Generator:
    name = int.from_bytes(job.told.name.encode()[:8], "little")
    return np.random.default_rng([name, job.history, *use])


def _told(folder: Path, world: worlds.World, size: Size) -> Told:
    own = folder / world.name.replace(" ", "-").replace(",", "")
    own.mkdir(parents=True)
    changes = [(change.name, change.shows) for change in world.changes]
    return Told(world.name, str(own), list(world.numbers), list(world.categories), changes, world.horizon, *size)


def _own(told: Told, found: list[OwnFound]) -> Asked:
    delays = {
        change: [delay for _, delay in sorted({k: v for one in found for k, v in one.delays[change].items()}.items())]
        for change, _ in told.changes
    }
    months = float(_OWN_MONTHS * told.histories)
    total = sum(one.alarms for one in found)
    return Asked(told.name, OWN, "all", ASKED, (months, months), (total, total), (delays, delays))


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
            found = pool.map(play, [Job(data, told, number) for number in range(told.histories)], chunksize=1)
            write_found(options.folder, f"{told.name} {OWN}", _own(told, found))
            for change, _ in told.changes:
                screen.print(told.name, change, sorted({why for one in found for why in one.why[change]}))
    run_there(options.python, "tests.bench.monitors.rivals.asking", options.folder, "--jobs", options.jobs)
    said = read_found(options.folder)
    return int(show([row for told in plan for row in rows_of(told, said)]) > 0)


if __name__ == "__main__":
    raise SystemExit(main())
