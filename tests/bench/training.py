"""What a training takes on the CPU, beside what `daemon/planning/device.py` predicts: `make bench-training`.

Each size is trained in a process of its own, of which the most memory it ever held is told, less what it held before.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
from typing import Final, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from daemon.planning.device import Load, Machine, choose
from skills._kit.boosting import Fold, fit

SIZES: Final = (
    Load(100_000, 10, 100),
    Load(100_000, 40, 100),
    Load(400_000, 20, 100),
    Load(1_000_000, 20, 50),
    Load(1_000_000, 40, 50),
)
SEED: Final = 0


class Taken(NamedTuple):
    """What a training took: memory above what the process held before the rows were made, and time of the fit alone."""

    memory_mb: float
    seconds: float


def train(load: Load) -> Taken:
    """Fit made-up rows, one in twenty values missing."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rng = np.random.default_rng(SEED)
    matrix = rng.normal(size=(load.rows, load.columns)).astype(np.float32)
    labels = (matrix[:, 0] + rng.normal(size=load.rows) > 1).astype(np.float64)
    matrix[rng.random(load.rows) < 0.05, 1:] = np.nan
    begun = time.perf_counter()
    fit("binary", Fold(matrix, labels), {"rounds": load.rounds, "device": "cpu", "threads": 1}, SEED)
    seconds = time.perf_counter() - begun
    return Taken(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before, seconds)


def main() -> None:
    """Train each size and print both."""
    table = Table(title="training on the CPU, one thread", title_justify="left")
    for column in ("rows", "columns", "rounds", "MiB", "predicted", "s", "predicted", "ns a cell and round"):
        table.add_column(column, justify="right")
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for load in SIZES:
            (taken,) = pool.map(train, [load])
            predicted = choose(load, Machine(1e9))
            a_cell = taken.seconds / (load.rows * load.columns * load.rounds) * 1e9
            numbers = (taken.memory_mb, predicted.memory_mb, taken.seconds, predicted.seconds or 0.0, a_cell)
            table.add_row(*(f"{value:,}" for value in load), *(f"{value:,.1f}" for value in numbers))
    Console().print(table)


if __name__ == "__main__":
    main()
