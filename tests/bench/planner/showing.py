"""What planners made of the incidents, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.console import Console
from rich.table import Table

from tests.bench.planner.beside import Reply
from tests.bench.planner.scoring import Cost, Missed, Score
from tests.bench.planner.tally import tally

NOT_MEASURED: Final = (
    "Claude's part is played by a fuzzer on loopback, and no model was asked. So this says nothing of how good Claude's plans "
    "are, what they cost or how long they take; only that of plans of any kind nothing forbidden gets through."
)


class Run(NamedTuple):
    """One planner over all incidents."""

    planner: str
    scores: list[Score]
    missed: list[Missed]


def show(screen: Console, run: Run) -> None:
    """Print one line an incident, and the sums."""
    table = _table(
        f"planner {run.planner}",
        ("incident", "likeliest cause", "cause", "action", "grade", "guardrails", "ms#", "tokens#", "USD#"),
    )
    for one in run.scores:
        numbers = (f"{one.seconds * 1_000:.2f}", str(one.cost.tokens), f"{one.cost.usd:.4f}")
        table.add_row(one.incident, one.likely, _cause(one), one.action, one.grade, ", ".join(one.refused), *numbers)
    screen.print(table)
    for line in summary(run):
        screen.print(line)


def show_beside(screen: Console, policy: Run, played: Sequence[Sequence[Reply]], missed: Sequence[Missed]) -> None:
    """Print policy and Claude side by side, one line an incident, and the sums."""
    screen.print()
    table = _table(
        "planner policy, and claude beside it",
        (
            "incident", "likeliest cause", "cause", "policy", "grade", "claude's plans taken#", "grades of the plans chosen",
            "repeats#", "calls#", "tokens#", "USD#",
        ),
    )  # fmt: skip
    for alone, replies in zip(policy.scores, played, strict=True):
        found = tally(replies)
        numbers = (str(found.repeats), str(found.cost.calls), str(found.cost.tokens), f"{found.cost.usd:.4f}")
        of_policy = (alone.incident, alone.likely, _cause(alone), alone.action, alone.grade)
        table.add_row(*of_policy, f"{found.taken} of {found.replies}", found.shown(), *numbers)
    screen.print(table)
    for line in summary_beside(played, missed):
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


def summary_beside(played: Sequence[Sequence[Reply]], missed: Sequence[Missed]) -> list[str]:
    """Say in words what came of all replies."""
    found = tally([reply for replies in played for reply in replies])
    reasons = ", ".join(f"{reason} {count}" for reason, count in found.reasons.most_common())
    cost = found.cost
    return [
        f"claude's plan taken {found.taken} times of {found.replies}; else policy's, because of: {reasons}",
        f"plans chosen: {found.shown()}; {found.repeats} repeats; {found.refused} plans that a guardrail would refuse",
        f"{cost.calls} calls by the ledger's account, {found.unsettled} unsettled, {cost.tokens} tokens, {cost.usd:.4f} USD",
        NOT_MEASURED,
        *(f"MISSED: {one.bar}" for one in missed),
    ]


def _table(title: str, columns: Sequence[str]) -> Table:
    """Make an empty table; columns whose names end in `#` hold numbers."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column.removesuffix("#"), justify="right" if column.endswith("#") else "left")
    return table


def _cause(one: Score) -> str:
    return "handed over" if one.cause is None else "right" if one.cause else "wrong"
