"""`python -m tests.bench.planner`: ask planners about every incident, show what they answer, and hold it against the bars.

`policy` is asked once about each. `claude` is asked beside it, as the product does, with a fuzzer for Claude: what gets through
is counted. Any other kind is asked once about each; one that costs something has an attribute `spent` with `tokens` and `usd`,
both counted from its beginning.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from daemon.planners.base import NoProposalError, Planner
from streams.runtime.logging import logging_to
from streams.runtime.plugins import load_kind
from tests.bench.planner.asking import ask
from tests.bench.planner.beside import CLAUDE, Reply, play_beside
from tests.bench.planner.incident import Incident, incident_files, load_incident
from tests.bench.planner.scoring import NOTHING, Cost, Missed, Score, missed_bars, score
from tests.bench.planner.showing import Run, show, show_beside
from tests.bench.planner.tally import missed_by

POLICY = "policy"
REPLIES = 20

screen = Console(width=200)


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


def main(arguments: Sequence[str] | None = None) -> int:
    """Play; return 1 when a bar is missed, and end with 2 when a planner has nothing to propose."""
    parser = argparse.ArgumentParser("python -m tests.bench.planner", description="What planners make of simulated incidents")
    parser.add_argument("--planner", action="append", help="a kind of daemon/planners; may be repeated", metavar="KIND")
    parser.add_argument("--replies", type=int, default=REPLIES, help="of who plays Claude, to each incident", metavar="N")
    parser.add_argument("--seed", type=int, default=0, help="of those replies")
    parser.add_argument("--json", type=Path, help="where the scores are written", metavar="FILE")
    given = parser.parse_args(arguments)
    incidents = [load_incident(file) for file in incident_files().values()]
    kinds = dict.fromkeys(given.planner or [POLICY, CLAUDE])
    # The policy planner is always asked, and Claude beside it.
    alone = [POLICY, *(kind for kind in kinds if kind not in {POLICY, CLAUDE})] if CLAUDE in kinds else list(kinds)
    runs = []
    for name in alone:
        try:
            runs.append(asyncio.run(play(name, load_kind("daemon.planners", name).build(), incidents)))
        except NoProposalError as error:
            parser.error(f"{name} has nothing to propose: {error.reason}")
    for run in runs:
        show(screen, run)
    found, missed = [_plain(run) for run in runs], [one for run in runs for one in run.missed]
    if CLAUDE in kinds:
        played = _played(incidents, given.replies, given.seed)
        missed_beside = missed_by(played)
        show_beside(screen, runs[0], played, missed_beside)
        found.append(_plain_beside(played, missed_beside))
        missed += missed_beside
    if given.json is not None:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1))
    return int(bool(missed))


def _played(incidents: Sequence[Incident], replies: int, seed: int) -> list[list[Reply]]:
    # What overrules Claude is in the table; a line of the log for each says nothing more.
    with tempfile.TemporaryDirectory() as folder, logging_to(None, "bench", level="error"):
        return asyncio.run(play_beside(Path(folder), incidents, replies, seed))


def _plain(run: Run) -> dict[str, object]:
    return {"planner": run.planner, "scores": [_score(one) for one in run.scores], "missed": [one.bar for one in run.missed]}


def _plain_beside(played: Sequence[Sequence[Reply]], missed: Sequence[Missed]) -> dict[str, object]:
    replies = [one._asdict() | {"score": _score(one.score)} for replies in played for one in replies]
    return {"planner": CLAUDE, "replies": replies, "missed": [one.bar for one in missed]}


def _score(one: Score) -> dict[str, object]:
    return one._asdict() | {"cost": one.cost._asdict()}


if __name__ == "__main__":
    sys.exit(main())
