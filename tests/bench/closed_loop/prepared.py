"""From a scenario file to the data that are replayed: read, labels delayed, injections done."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.bench.closed_loop.data.base import DataSet
from tests.bench.closed_loop.data.catalogue import load_data
from tests.bench.closed_loop.data.file import load_file
from tests.bench.closed_loop.injections.family import inject_all
from tests.bench.closed_loop.rows import DAY_MS
from tests.bench.closed_loop.scenario import OwnFile, Scenario


class Prepared(NamedTuple):
    """A data set after a scenario's injections, and the injections' options as they were drawn for its seed."""

    data: DataSet
    drawn: tuple[Any, ...]


def prepare(scenario: Scenario, folder: Path, *, beside: Path) -> Prepared:
    """Read a scenario's data and do to it what the scenario says; the same seed gives the same rows.

    Args:
        scenario: its `seed` draws what the file leaves open.
        folder: of the named data sets.
        beside: where a file of the scenario's own is looked for, if its path is relative.

    Raises:
        StreamsError: the data can't be read.
        ValueError: an injection doesn't fit them.
    """
    data = _read(scenario, folder, beside)
    if scenario.label_delay != "own":
        known_ms = (data.rows["time_ms"] + scenario.label_delay.ms).where(data.rows["label"].notna())
        data = data._replace(rows=data.rows.assign(known_ms=known_ms.astype("float64")))
    if scenario.skew is not None:
        data = data._replace(skew_ms=scenario.skew.ms)
    inject = partial(inject_all, data.rows, scenario.injections, data.schema, epoch_ms=data.epoch_ms, seed=scenario.seed)
    done = inject()
    worth = None
    if data.amount is not None:
        is_broken = any(getattr(one, "column", None) == data.amount for one in done.drawn)
        whole = inject(spared=data.amount).rows if is_broken else done.rows
        worth = whole[data.amount].to_numpy(np.float64)
    return Prepared(data._replace(rows=done.rows, worth=worth), done.drawn)


def day_ms(data: DataSet, day: float) -> int:
    """Return when a day of the data set begins; days may have fractions."""
    return data.epoch_ms + round(day * DAY_MS)


def _read(scenario: Scenario, folder: Path, beside: Path) -> DataSet:
    if isinstance(scenario.data, OwnFile):
        return load_file(beside / scenario.data.file, scenario.data.roles)
    return load_data(scenario.data, folder)
