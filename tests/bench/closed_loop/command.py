"""`driftwake bench`: runs scenarios, one after the other, and reports how far driftwake is from its bars.

Every result is written as soon as it is there; a run that was interrupted goes on with the scenarios that are missing.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import shutil
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from rich.console import Console

from daemon.commands.errors import BadInputError
from daemon.errors import DaemonError
from streams.contracts.errors import StreamsError
from streams.contracts.features import Window
from streams.joining.config import LONGEST_HORIZON
from tests.bench.closed_loop.data.base import DataSet
from tests.bench.closed_loop.faults.base import Planned
from tests.bench.closed_loop.judged import encode, failed, judge
from tests.bench.closed_loop.measured.case import Judged
from tests.bench.closed_loop.metrics.bars import BarResult
from tests.bench.closed_loop.metrics.judgement import right_rows
from tests.bench.closed_loop.metrics.suite import retrain_share, worst_shortfall
from tests.bench.closed_loop.policies.base import World
from tests.bench.closed_loop.policies.daily import Daily, times_asked
from tests.bench.closed_loop.policies.making import NAMES, make
from tests.bench.closed_loop.prepared import day_ms, prepare
from tests.bench.closed_loop.report.filling import bar_of
from tests.bench.closed_loop.report.html import render
from tests.bench.closed_loop.report.model import Bar, BenchReport, ScenarioResult, encode_report
from tests.bench.closed_loop.report.tally import all_bars
from tests.bench.closed_loop.report.terminal import print_report
from tests.bench.closed_loop.runner import DAY_MS, DRIFTWAKE, Job, run
from tests.bench.closed_loop.scenario import Scenario, load_scenario, scenario_files

POLICIES = ("never", "weekly", "drift_alarm", "oracle", DRIFTWAKE)
OURS = "the champion that driftwake looks after"

# Bars over all scenarios together (SCENARIOS.md).
MOST_OF_DAILY, MOST_BELOW_WEEKLY, RIGHT_ROWS = 0.1, 0.01, 17
# What joining can wait for at most is LONGEST_HORIZON; labels that come later are lost to everybody alike.
_LEAST_HORIZON_MS, _LONGEST_HORIZON_MS = 2 * DAY_MS, LONGEST_HORIZON.ms


class Wanted(NamedTuple):
    """What is run. `folder` keeps results and, while a scenario runs, its data; `data` is where the named data sets lie."""

    scenarios: Sequence[str]
    policies: Sequence[str]
    seeds: int
    data: Path
    folder: Path
    report: Path
    keep: bool = False


def run_bench(wanted: Wanted) -> int:
    """Run what is missing, report everything; 0 when every bar is held.

    Raises:
        ConfigError: a scenario file makes no sense; nothing was run.
        BadInputError: there is no such scenario or policy.
    """
    console = Console()
    files = _files(wanted.scenarios)
    _check_policies(wanted.policies)
    scenarios = [(file, load_scenario(file)) for file in files]
    results = []
    for file, scenario in scenarios:
        for seed in range(wanted.seeds):
            seeded = scenario.model_copy(update={"seed": scenario.seed + seed})
            console.print(f"{scenario.id}, seed {seeded.seed}: {scenario.title}")
            results.append(_result(wanted, file, seeded, console))
    report = _report(results)
    wanted.report.write_text(render(report), encoding="utf-8")
    wanted.report.with_suffix(".json").write_bytes(encode_report(report))
    print_report(report, console)
    console.print(f"The report: {wanted.report}")
    return 0 if all(bar.held for bar in all_bars(report)) else 1


def _files(names: Sequence[str]) -> list[Path]:
    known = scenario_files()
    files = []
    for name in names or known:
        if name not in known and not Path(name).is_file():
            raise BadInputError(f"no scenario {name!r}; there are {', '.join(known)}, or give a file's path")
        files.append(known.get(name, Path(name)))
    return files


def _check_policies(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in (*NAMES, DRIFTWAKE)]
    if unknown:
        raise BadInputError(f"no policy {', '.join(unknown)}; there are {', '.join((*NAMES, DRIFTWAKE))}")


def _result(wanted: Wanted, file: Path, scenario: Scenario, console: Console) -> ScenarioResult:
    """Return a result of before, or run the scenario."""
    key = hashlib.sha256(file.read_bytes() + repr((scenario.seed, sorted(wanted.policies))).encode()).hexdigest()[:16]
    kept = wanted.folder / "results" / f"{scenario.id}-{key}.json"
    if kept.exists():
        return msgspec.json.decode(kept.read_bytes(), type=ScenarioResult)
    try:
        result = _played(wanted, file, scenario)
    except (DaemonError, StreamsError, ValueError, ExceptionGroup) as error:
        said = "; ".join(f"{type(one).__name__}: {one}" for one in _single(error))
        console.print(f"  failed: {said}", style="red", markup=False)
        (wanted.folder / f"{scenario.id}-{scenario.seed}-failed.txt").write_text("".join(traceback.format_exception(error)))
        return failed(scenario, str(scenario.data), said)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(encode(result))
    return result


def _single(error: Exception) -> Iterator[Exception]:
    """Take groups apart: what went wrong stands in their leaves."""
    if isinstance(error, ExceptionGroup):
        for one in error.exceptions:
            yield from _single(one)
    else:
        yield error


def _played(wanted: Wanted, file: Path, scenario: Scenario) -> ScenarioResult:
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
        bucket_ms=scenario.bucket.ms,
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
    result = msgspec.structs.replace(result, daily_retrains=times_asked(world, job.end_ms, job.bucket_ms))
    if not wanted.keep:
        shutil.rmtree(folder)
    return result


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


def _report(results: Sequence[ScenarioResult]) -> BenchReport:
    report = BenchReport(version=importlib.metadata.version("driftwake"), scenarios=tuple(results))
    return msgspec.structs.replace(report, bars=tuple(suite_bars(report)))


def suite_bars(report: BenchReport) -> Iterator[Bar]:
    """The bars over all scenarios; each only where there is something to compare with."""
    ours = {name: int(value or 0) for name, value in _of_policy(report, DRIFTWAKE, "retrains").items()}
    yield _bar("retrains_of_daily", retrain_share(ours, _daily(report)), at_most=MOST_OF_DAILY)
    below = worst_shortfall(*(_of_policy(report, name, "live_quality") for name in (DRIFTWAKE, "weekly")))
    yield _bar("below_weekly", below, at_most=MOST_BELOW_WEEKLY)
    judged = [(one.id, one.diagnosis.held) for one in report.scenarios if one.failed is None]
    right = right_rows((name, held) for name, held in judged if held is not None)
    yield _bar("right_diagnoses", right if judged else None, at_least=RIGHT_ROWS)


def _daily(report: BenchReport) -> dict[str, int]:
    """Return how often the policy `daily` trained, or would have where it wasn't played."""
    counted = {f"{one.id}-{one.seed}": one.daily_retrains for one in report.scenarios}
    played = {name: int(value or 0) for name, value in _of_policy(report, Daily.name, "retrains").items()}
    return {name: count for name, count in counted.items() if count is not None} | played


def _of_policy(report: BenchReport, policy: str, metric: str) -> dict[str, float | None]:
    found = {(one.id, one.seed): one.values.get(metric, {}) for one in report.scenarios}
    return {f"{name}-{seed}": values[policy] for (name, seed), values in found.items() if policy in values}


def _bar(metric: str, value: float | None, *, at_least: float | None = None, at_most: float | None = None) -> Bar:
    limit = at_least if at_least is not None else at_most or 0.0
    held = None if value is None else value >= limit if at_least is not None else value <= limit
    return bar_of(BarResult(metric, DRIFTWAKE, value, limit, held, "at_least" if at_least is not None else "at_most"))
