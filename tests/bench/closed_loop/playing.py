"""One scenario: prepared, played and judged."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from streams.contracts.features import Window
from streams.joining.config import LONGEST_HORIZON
from tests.bench.closed_loop.data.base import DataSet
from tests.bench.closed_loop.faults.base import Planned
from tests.bench.closed_loop.judged import judge
from tests.bench.closed_loop.measured.case import Judged
from tests.bench.closed_loop.policies.base import World
from tests.bench.closed_loop.policies.daily import times_asked
from tests.bench.closed_loop.policies.making import make
from tests.bench.closed_loop.prepared import day_ms, prepare
from tests.bench.closed_loop.report.model import ScenarioResult
from tests.bench.closed_loop.runner import DAY_MS, DRIFTWAKE, Job, Released, run
from tests.bench.closed_loop.scenario import Scenario

OURS = "the champion that driftwake looks after"
# What joining can wait for at most is LONGEST_HORIZON; labels that come later are lost to everybody alike.
_LEAST_HORIZON_MS, _LONGEST_HORIZON_MS = 2 * DAY_MS, LONGEST_HORIZON.ms


class Wanted(NamedTuple):
    """What is run. `folder` keeps results and, while a scenario runs, its data; `data` is where the named data sets lie.

    `jobs` scenarios are played side by side. With `older` results count that another state of the code gave.
    """

    scenarios: Sequence[str]
    policies: Sequence[str]
    seeds: int
    data: Path
    folder: Path
    report: Path
    keep: bool = False
    jobs: int = 1
    older: bool = False


def play(wanted: Wanted, file: Path, scenario: Scenario) -> ScenarioResult:
    """Play a scenario from its beginning and judge it; its data are removed afterwards, unless they shall be kept.

    Raises:
        DaemonError: something didn't come as far as it must.
        StreamsError: the data, the broker or a folder can't be used.
        ValueError: an injection, a fault or a policy doesn't fit the data.
    """
    data = prepare(scenario, wanted.data, beside=file.parent).data
    world = _world(scenario, data)
    policies = [name for name in wanted.policies if name != "oracle_feature" or world.planted is not None]
    folder = wanted.folder / "work" / f"{scenario.id}-{scenario.seed}"
    shutil.rmtree(folder, ignore_errors=True)
    job = Job(
        data=data,
        champion_since_ms=day_ms(data, scenario.champion.first_day),
        champion_until_ms=day_ms(data, scenario.champion.last_day + 1),
        start_ms=world.start_ms,
        end_ms=day_ms(data, scenario.replay.last_day + 1),
        spans=released(scenario, data),
        horizon_ms=_horizon_ms(data),
        world=world,
        policies=policies,
        seed=scenario.seed,
        data_dir=folder.resolve(),
        settings=scenario.settings,
        faults=[Planned(one.kind, day_ms(data, one.day), one.forced) for one in scenario.faults],
    )
    who = {name: OURS if name == DRIFTWAKE else make(name, world, np.random.default_rng(0)).who for name in policies}
    result = judge(Judged(scenario, data, run(job), who | {DRIFTWAKE: OURS}))
    result = msgspec.structs.replace(result, daily_retrains=times_asked(world, job.end_ms, scenario.bucket.ms))
    if not wanted.keep:
        shutil.rmtree(folder)
    return result


def released(scenario: Scenario, data: DataSet) -> list[Released]:
    """Return the spans of a replay, before, on and after its fine days."""
    start_ms, end_ms = day_ms(data, scenario.replay.first_day), day_ms(data, scenario.replay.last_day + 1)
    if scenario.fine is None:
        return [Released(start_ms, end_ms, scenario.bucket.ms)]
    fine_ms, after_ms = day_ms(data, scenario.fine.first_day), day_ms(data, scenario.fine.last_day + 1)
    spans = [
        Released(start_ms, fine_ms, scenario.bucket.ms),
        Released(fine_ms, after_ms, scenario.fine.bucket.ms),
        Released(after_ms, end_ms, scenario.bucket.ms),
    ]
    return [span for span in spans if span.since_ms < span.until_ms]


def _world(scenario: Scenario, data: DataSet) -> World:
    truth, rows = scenario.truth, data.rows
    start_ms = day_ms(data, scenario.replay.first_day)
    since_ms, until_ms = (day_ms(data, day) for day in (scenario.champion.first_day, scenario.champion.last_day + 1))
    is_his = (rows["time_ms"] >= since_ms) & (rows["time_ms"] < until_ms) & (rows["known_ms"] < start_ms)
    delay_ms = float((rows["known_ms"] - rows["time_ms"]).median())
    return World(
        schema=data.schema,
        windows=data.windows,
        epoch_ms=data.epoch_ms,
        start_ms=start_ms,
        label_delay_ms=round(delay_ms),
        champion_rows=rows[is_his],
        onset_ms=None if truth.onset_day is None else day_ms(data, truth.onset_day),
        planted=_planted(scenario),
    )


def _planted(scenario: Scenario) -> Window | None:
    planted = scenario.truth.feature
    if planted is None:
        return None
    return Window(
        aggregate=planted.aggregate,
        source=planted.source,
        column=planted.column,
        by=planted.by,
        range_ms=planted.at_most_range.ms,
    )


def _horizon_ms(data: DataSet) -> int:
    """Return how long a prediction must wait for its label, in whole days: a day longer than nearly all take."""
    delay_ms = float((data.rows["known_ms"] - data.rows["time_ms"]).quantile(0.99))
    whole = (int(delay_ms // DAY_MS) + 1) * DAY_MS
    return min(max(whole, _LEAST_HORIZON_MS), _LONGEST_HORIZON_MS)
