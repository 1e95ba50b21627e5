"""The other environment's part: asks every other tool about every stream. Run by the bench, with its folder."""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from tests.bench.monitors.rivals.exchange import BEFORE, Asked, Delayed, Told, read_plan, read_rows, write_found
from tests.bench.monitors.rivals.others import alibi, evidently, nannyml, river
from tests.bench.monitors.rivals.others.base import Columns, Follower, Following, Judging, Kind, Statistic
from tests.bench.monitors.rivals.scoring import ASKED, MONTH_BUCKETS, ROWS, alarms, first, setting_of, threshold_of

_INPUTS: dict[str, Kind] = {**river.INPUTS, **nannyml.INPUTS, **evidently.INPUTS, **alibi.INPUTS}
KINDS: dict[str, dict[str, Kind]] = {
    "inputs": _INPUTS,
    "breaks": {**_INPUTS, **nannyml.MISSING},
    "outcomes": {**river.OUTCOMES, **nannyml.OUTCOMES, **alibi.OUTCOMES},
}
# Buckets that are judged at once: a stream isn't looked at further than the first alarm.
_PIECE = 10

Found = tuple[int | None, int | None]


class Task(NamedTuple):
    """One tool in one world."""

    folder: str
    world: Told
    shows: str
    tool: str


class Calm(NamedTuple):
    """What calm streams said of a tool: its setting; months and alarms, by default and at that setting."""

    setting: float
    months: tuple[float, float]
    alarms: tuple[int, int]


def ask(task: Task) -> str:
    """Ask one tool and write down what it said."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    kind, world = KINDS[task.shows][task.tool], task.world
    columns = Columns(tuple(world.numbers), tuple(world.categories))
    calm = _judging_calm(kind, columns, world) if isinstance(kind, Judging) else _following_calm(kind, columns, world)
    names = [(number, name) for number, (name, shows) in enumerate(world.changes) if shows == task.shows]
    found: tuple[Delayed, Delayed] = ({name: [] for _, name in names}, {name: [] for _, name in names})
    for history in range(world.histories):
        show = _shown(kind, columns, read_rows(world.history(history)), calm.setting)
        for stream in range(history, min(kind.streams, world.streams), world.histories):
            for number, name in names:
                for one, delay in zip(found, show(read_rows(world.change(number, stream))), strict=True):
                    one[name].append(delay)
    said = Asked(world.name, task.tool, task.shows, calm.setting, calm.months, calm.alarms, found)
    write_found(Path(task.folder), re.sub(r"\W+", "-", f"{world.name} {task.shows} {task.tool}"), said)
    return f"{world.name}: {task.tool} ({task.shows})"


def _judging_calm(kind: Judging, columns: Columns, world: Told) -> Calm:
    months = min(kind.months, world.months)
    own = kind.open(columns, read_rows(world.history(0))).say(read_rows(world.calm("fit"), months * MONTH_BUCKETS))
    setting = threshold_of(own.value, ASKED * months)
    other = kind.open(columns, read_rows(world.history(1))).say(read_rows(world.calm("check"), months * MONTH_BUCKETS // 2))
    by_default = alarms(own.by_default) + alarms(other.by_default)
    return Calm(setting, (months * 1.5, months / 2), (by_default, alarms(other.value >= setting)))


def _following_calm(kind: Following, columns: Columns, world: Told) -> Calm:
    months = min(kind.months, world.months)
    history, calm = read_rows(world.history(0)), read_rows(world.calm("fit"), months * MONTH_BUCKETS)
    counts: list[int] = []
    for setting in kind.grid:
        counts.append(alarms(kind.open(columns, history, setting).follow(calm)))
        if counts[-1] <= ASKED * months:
            break  # the others are less sensitive
    by_default = alarms(kind.open(columns, history, None).follow(calm))
    setting = setting_of(kind.grid[: len(counts)], counts, ASKED * months)
    history, calm = read_rows(world.history(1)), read_rows(world.calm("check"), months * MONTH_BUCKETS // 2)
    found = tuple(alarms(kind.open(columns, history, one).follow(calm)) for one in (None, setting))
    return Calm(setting, (months * 1.5, months / 2), (by_default + found[0], found[1]))


def _shown(kind: Kind, columns: Columns, history: pd.DataFrame, setting: float) -> Callable[[pd.DataFrame], Found]:
    """Open a tool with a history, and show it streams that each go on from there."""
    if isinstance(kind, Judging):
        judge = kind.open(columns, history)
        return lambda rows: _judged(judge, rows, setting)
    followers = [kind.open(columns, history, one) for one in (None, setting)]
    return lambda rows: (_followed(followers[0].copy(), rows), _followed(followers[1].copy(), rows))


def _pieces(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for start in range(BEFORE * ROWS, len(rows), _PIECE * ROWS):
        yield rows.iloc[start : start + _PIECE * ROWS]


def _judged(tool: Statistic, rows: pd.DataFrame, setting: float) -> Found:
    """Judge a change until it was found both by default and at a setting. What was before it changes nothing here."""
    found: list[int | None] = [None, None]
    for number, piece in enumerate(_pieces(rows)):
        said = tool.say(piece)
        for place, up in enumerate((said.by_default, np.nan_to_num(said.value, nan=-np.inf) >= setting)):
            after = first(up)
            if found[place] is None and after is not None:
                found[place] = number * _PIECE + after
        if None not in found:
            break
    return found[0], found[1]


def _followed(tool: Follower, rows: pd.DataFrame) -> int | None:
    tool.follow(rows.iloc[: BEFORE * ROWS])
    for number, piece in enumerate(_pieces(rows)):
        after = first(tool.follow(piece))
        if after is not None:
            return number * _PIECE + after
    return None


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.monitors.rivals.asking", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    tasks = [
        Task(str(options.folder), world, shows, tool)
        for world in read_plan(options.folder)
        for shows, tools in KINDS.items()
        if shows in {one for _, one in world.changes}
        for tool in tools
    ]
    with multiprocessing.Pool(options.jobs) as pool:
        for number, done in enumerate(pool.imap_unordered(ask, tasks, chunksize=1), 1):
            sys.stderr.write(f"{number}/{len(tasks)} {done}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
