"""`driftwake bench`: runs scenarios, one after the other, and reports how far driftwake is from its bars.

Every result is written as soon as it is there; a run that was interrupted goes on with the scenarios that are missing.
"""

from __future__ import annotations

import importlib.metadata
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec
from rich.console import Console

from daemon.commands.errors import BadInputError
from tests.bench.closed_loop.kept import code_digest, result_of
from tests.bench.closed_loop.metrics.bars import BarResult
from tests.bench.closed_loop.metrics.judgement import right_rows
from tests.bench.closed_loop.metrics.suite import retrain_share, worst_shortfall
from tests.bench.closed_loop.playing import Wanted
from tests.bench.closed_loop.policies.daily import Daily
from tests.bench.closed_loop.policies.making import NAMES
from tests.bench.closed_loop.report.filling import bar_of
from tests.bench.closed_loop.report.html import render
from tests.bench.closed_loop.report.model import Bar, BenchReport, ScenarioResult, encode_report
from tests.bench.closed_loop.report.tally import all_bars
from tests.bench.closed_loop.report.terminal import print_report
from tests.bench.closed_loop.runner import DRIFTWAKE
from tests.bench.closed_loop.scenario import Scenario, load_scenario, scenario_files

__all__ = ["POLICIES", "Wanted", "run_bench"]

POLICIES = ("never", "weekly", "drift_alarm", "oracle", DRIFTWAKE)

# Bars over all scenarios together (SCENARIOS.md).
MOST_OF_DAILY, MOST_BELOW_WEEKLY, RIGHT_ROWS = 0.1, 0.01, 17


def run_bench(wanted: Wanted) -> int:
    """Run what is missing, report everything; 0 when every bar is held.

    Raises:
        ConfigError: a scenario file makes no sense; nothing was run.
        BadInputError: there is no such scenario or policy.
    """
    console = Console()
    files = _files(wanted.scenarios)
    _check_policies(wanted.policies)
    loaded = [(file, load_scenario(file)) for file in files]
    drawn = [(file, one.model_copy(update={"seed": one.seed + number})) for file, one in loaded for number in range(wanted.seeds)]
    results = _results(wanted, drawn)
    report = _report(results)
    wanted.report.write_text(render(report), encoding="utf-8")
    wanted.report.with_suffix(".json").write_bytes(encode_report(report))
    print_report(report, console)
    older = [one.id for one in results if one.failed is None and one.code != code_digest()]
    if older:
        console.print(f"Of another state of the code: {', '.join(older)}; without --older they are played anew")
    console.print(f"The report: {wanted.report}")
    return 0 if all(bar.held for bar in all_bars(report)) else 1


def _results(wanted: Wanted, drawn: Sequence[tuple[Path, Scenario]]) -> list[ScenarioResult]:
    """Play what is missing; side by side each scenario has a process of its own, as it has a broker and a folder.

    Those that usually take longest come first, so that the last ones are short and no process is idle for long.
    """
    if wanted.jobs == 1:
        return [result_of(wanted, file, scenario) for file, scenario in drawn]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(wanted.jobs, mp_context=context, max_tasks_per_child=1) as pool:
        longest = sorted(range(len(drawn)), key=lambda place: -drawn[place][1].seconds)
        playing = {place: pool.submit(result_of, wanted, *drawn[place]) for place in longest}
        return [playing[place].result() for place in range(len(drawn))]


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
