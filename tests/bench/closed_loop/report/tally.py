"""What a report comes to: bars counted, policies in their order, diagnoses that were right. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from tests.bench.closed_loop.report.model import OURS, Bar, BenchReport, ScenarioResult


class Tally(NamedTuple):
    """How many bars ended in which way."""

    held: int
    missed: int
    not_measured: int

    @property
    def text(self) -> str:
        """Say it in one line."""
        return f"{self.held} bars held, {self.missed} missed, {self.not_measured} not measured"


def counted(bars: Iterable[Bar]) -> Tally:
    """Count bars."""
    held = [bar.held for bar in bars]
    return Tally(held.count(True), held.count(False), held.count(None))


def bars_of(scenario: ScenarioResult) -> tuple[Bar, ...]:
    """Return a scenario's bars; those of one that did not run to its end are not measured, whatever they say."""
    if scenario.failed is None:
        return scenario.bars
    return tuple(msgspec.structs.replace(bar, value=None, held=None) for bar in scenario.bars)


def all_bars(report: BenchReport) -> list[Bar]:
    """Return the bars of all scenarios, then those over all scenarios together."""
    return [*(bar for scenario in report.scenarios for bar in bars_of(scenario)), *report.bars]


def policies_of(report: BenchReport) -> dict[str, str]:
    """Return all policies with who they are: driftwake first, the others as they come. Their places are their colours."""
    found: dict[str, str] = {}
    for scenario in report.scenarios:
        for policy in scenario.policies:
            found.setdefault(policy.name, policy.who)
    return dict(sorted(found.items(), key=lambda item: item[0] != OURS))


def retrains_of(report: BenchReport) -> dict[str, int]:
    """Count each policy's retrains over all scenarios."""
    totals = dict.fromkeys(policies_of(report), 0)
    for scenario in report.scenarios:
        for policy in scenario.policies:
            totals[policy.name] += policy.retrains
    return totals


def right_diagnoses(report: BenchReport) -> tuple[int, int]:
    """Return how many diagnoses were right, of how many that could be judged."""
    found = [scenario.diagnosis.held for scenario in report.scenarios if scenario.failed is None]
    return found.count(True), len(found) - found.count(None)


def forbidden_actions(report: BenchReport) -> int:
    """Count what was done although a scenario forbids it."""
    return sum(len(scenario.action.broken) for scenario in report.scenarios)


def barred_metrics(report: BenchReport) -> list[str]:
    """Return the metrics that any scenario has a bar for, in the order in which scenarios first name them."""
    return list(dict.fromkeys(bar.metric for scenario in report.scenarios for bar in scenario.bars))
