"""`python -m tests.bench.planner`: ask planners about every incident, show what they answer, and hold it against the bars.

One that costs something has an attribute `spent` with `tokens` and `usd`, both counted from its beginning. There is no ledger, so
who must write down what it asks (`claude`) has nothing to propose here.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from daemon.planners.base import NoProposalError, Planner
from streams.runtime.plugins import load_kind
from tests.bench.planner.asking import ask
from tests.bench.planner.incident import Incident, incident_files, load_incident
from tests.bench.planner.scoring import NOTHING, Cost, Missed, Score, missed_bars, score

screen = Console(width=160)


class Run(NamedTuple):
    """One planner over all incidents."""

    planner: str
    scores: list[Score]
    missed: list[Missed]


async def play(name: str, planner: Planner, incidents: Sequence[Incident]) -> Run:
    """Ask a planner about each incident, one after the other."""
    scores = []
    for incident in incidents:
        before = _spent(planner)
        answered = await ask(incident, planner)
        after = _spent(planner)
        scores.append(score(incident, answered, Cost(after.tokens - before.tokens, after.usd - before.usd)))
    return Run(name, scores, missed_bars(scores))


def _spent(planner: Planner) -> Cost:
    spent = getattr(planner, "spent", None)
    return NOTHING if spent is None else Cost(int(spent.tokens), float(spent.usd))


def show(run: Run) -> None:
    """Print one line an incident, and the sums."""
    table = Table(title=f"planner {run.planner}", title_justify="left")
    for column in ("incident", "likeliest cause", "cause", "action", "grade", "guardrails", "ms", "tokens", "USD"):
        table.add_column(column, justify="right" if column in {"ms", "tokens", "USD"} else "left")
    for one in run.scores:
        cause = "handed over" if one.cause is None else "right" if one.cause else "wrong"
        refused = ", ".join(one.refused)
        numbers = (f"{one.seconds * 1_000:.2f}", str(one.cost.tokens), f"{one.cost.usd:.4f}")
        table.add_row(one.incident, one.likely, cause, one.action, one.grade, refused, *numbers)
    screen.print(table)
    for line in summary(run):
        screen.print(line)


def summary(run: Run) -> list[str]:
    """Say in words what came out."""
    asked = [one for one in run.scores if one.cause is not None]
    grades = {grade: sum(one.grade == grade for one in run.scores) for grade in ("best", "acceptable", "neither", "forbidden")}
    told = ", ".join(f"{count} {grade}" for grade, count in grades.items())
    repeats, refused = sum(one.repeats for one in run.scores), sum(bool(one.refused) for one in run.scores)
    cost = Cost(sum(one.cost.tokens for one in run.scores), sum(one.cost.usd for one in run.scores))
    return [
        f"cause right in {sum(one.cause is True for one in asked)} of {len(asked)} that were diagnosed from evidence",
        f"actions of {len(run.scores)}: {told}; {repeats} repeats; {refused} plans that a guardrail would refuse",
        f"{cost.tokens} tokens, {cost.usd:.4f} USD, {sum(one.seconds for one in run.scores):.3f} s",
        *(f"MISSED: {one.bar}" for one in run.missed),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Play; return 1 when a bar is missed, and end with 2 when a planner has nothing to propose."""
    parser = argparse.ArgumentParser("python -m tests.bench.planner", description="What planners make of simulated incidents")
    parser.add_argument("--planner", action="append", help="a kind of daemon/planners; may be repeated", metavar="KIND")
    parser.add_argument("--json", type=Path, help="where the scores are written", metavar="FILE")
    given = parser.parse_args(arguments)
    incidents = [load_incident(file) for file in incident_files().values()]
    runs = []
    for name in given.planner or ["policy"]:
        try:
            runs.append(asyncio.run(play(name, load_kind("daemon.planners", name).build(), incidents)))
        except NoProposalError as error:
            parser.error(f"{name} has nothing to propose: {error.reason}")
    for run in runs:
        show(run)
    if given.json is not None:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode([_plain(run) for run in runs]), indent=1))
    return int(any(run.missed for run in runs))


def _plain(run: Run) -> dict[str, object]:
    scores = [one._asdict() | {"cost": one.cost._asdict()} for one in run.scores]
    return {"planner": run.planner, "scores": scores, "missed": [one.bar for one in run.missed]}


if __name__ == "__main__":
    sys.exit(main())
