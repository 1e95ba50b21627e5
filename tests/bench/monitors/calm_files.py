"""How many alarms a month chance raises in real files' rows that stay as they are, at the defaults, beside what was asked for.

Rows are drawn from a file at random, so that nothing changes but chance; where a file is a stream that stays as it is, the rows
come as they came too, and the first part of it is what is learnt from.
"""

from __future__ import annotations

import argparse
import multiprocessing
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats

from streams.monitoring.config import MonitoringConfig
from tests.bench.monitors.rivals import files, product
from tests.bench.monitors.rivals.scoring import MONTH_BUCKETS, ROWS, alarms

screen = Console()

LEARNT_BUCKETS = 8 * 168
"""Of history, in hours."""
_LEARNT = 0.6
_DRAWN, _IN_ORDER = "drawn at random", "as they came"


class Job(NamedTuple):
    """One history of a file and months that go on from it; `seed` is None for the rows as they came."""

    data: str
    name: str
    seed: int | None
    months: int


class Found(NamedTuple):
    """Alarms, and in how many months."""

    alarms: int
    months: float


def watch(job: Job) -> Found:
    """Learn from one part and watch the other."""
    file = next(one for one in files.FILES if one.name == job.name)
    opened = files.read(Path(job.data), file)
    if job.seed is None:
        begin = int(len(opened.kept) * _LEARNT)
        scored = opened.world.answer(opened.kept, np.random.default_rng(0))
        history, calm = scored.iloc[:begin], scored.iloc[begin:].reset_index(drop=True)
    else:
        generator = np.random.default_rng(job.seed)
        history, calm = (opened.world.rows(number * ROWS, generator) for number in (LEARNT_BUCKETS, job.months * MONTH_BUCKETS))
    up = product.watched(product.learnt(opened.world, history, job.seed or 0), calm, LEARNT_BUCKETS, repeats=True).up
    return Found(alarms(up), len(up) / MONTH_BUCKETS)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.monitors.calm_files", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="with the files; those absent are left out")
    parser.add_argument("--months", type=int, default=20, help="drawn of each file")
    parser.add_argument("--histories", type=int, default=4, help="that they are divided among")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    rate = MonitoringConfig().false_alarms_per_month
    table = Table("file", "rows", "months", "alarms", "a month", "asked", "may be by chance", "held")
    missed = 0
    with multiprocessing.Pool(options.jobs) as pool:
        for file in files.FILES:
            if not (options.data / file.file).exists():
                screen.print(f"{file.name}: left out, its file isn't in {options.data}")
                continue
            each = -(-options.months // options.histories)
            drawn = [Job(str(options.data), file.name, seed, each) for seed in range(options.histories)]
            kinds = {_DRAWN: drawn} | ({_IN_ORDER: [Job(str(options.data), file.name, None, 0)]} if file.time else {})
            for kind, jobs in kinds.items():
                found = pool.map(watch, jobs, chunksize=1)
                total, months = sum(one.alarms for one in found), sum(one.months for one in found)
                # The 95 % interval of a count of which so many are expected.
                low, high = (int(count) for count in stats.poisson.ppf([0.025, 0.975], rate * months))
                is_held = low <= total <= high
                missed += not is_held
                table.add_row(
                    file.name, kind, f"{months:.1f}", str(total), f"{total / months:.2f}", f"{rate:g}", f"{low} to {high}",
                    "yes" if is_held else "MISSED",
                )  # fmt: skip
    screen.print(table)
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
