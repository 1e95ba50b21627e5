"""What a terminal shows when the bench has run. Foreign texts never become markup."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from daemon.report.wording import MISSING, clean, finite, quality
from tests.bench.closed_loop.report.model import OURS, Bar, BenchReport
from tests.bench.closed_loop.report.tally import all_bars, bars_of, counted, policies_of, right_diagnoses
from tests.bench.closed_loop.report.words import (
    NOT_MEASURED,
    days_text,
    held_text,
    limit_text,
    measured_text,
    metric_text,
    names_of,
    tone,
)

_STYLES = {"good": "green", "bad": "red", "unclear": "yellow"}


def print_report(report: BenchReport, console: Console) -> None:
    """Print each scenario's bars, each policy's mean quality, and last how many bars were held."""
    console.print(Text(f"{clean(report.title)}, version {clean(report.version)}", style="bold"))
    console.print()
    console.print(_bars(report))
    if policies_of(report):
        console.print()
        console.print(_qualities(report))
    console.print()
    right, judged = right_diagnoses(report)
    console.print(Text(f"Right diagnoses: {right} of {judged}"))
    found = counted(all_bars(report))
    is_good = found.held > 0 and not found.missed and not found.not_measured
    console.print(Text(found.text, style="bold green" if is_good else "bold red"))


def _bars(report: BenchReport) -> Table:
    table = Table(title="Bars", title_justify="left", box=None, pad_edge=False)
    table.add_column("Scenario")
    table.add_column("Metric")
    table.add_column("Bar")
    table.add_column("Measured", justify="right")
    table.add_column("Verdict", no_wrap=True)
    for scenario, name in zip(report.scenarios, names_of(report), strict=True):
        first = Text.assemble((clean(name), "bold"), f" {clean(scenario.title)}")
        bars = bars_of(scenario)
        if scenario.failed is not None:
            table.add_row(
                first, Text(f"did not run to its end: {clean(scenario.failed)}"), "", "", Text("did not run", style="red")
            )
            first = Text()
        elif not bars:
            table.add_row(first, Text("no bars", style="dim"))
        _add(table, first, bars)
    _add(table, Text("All scenarios", style="bold"), report.bars)
    return table


def _add(table: Table, first: Text, bars: tuple[Bar, ...]) -> None:
    """Add a row a bar; only the first says whose they are."""
    for place, bar in enumerate(bars):
        whose = "" if bar.policy == OURS else f", {clean(bar.policy)}"
        days = days_text(bar)
        table.add_row(
            first if place == 0 else "",
            Text(clean(metric_text(bar.metric)) + whose),
            Text(limit_text(bar) + (f", {days}" if days else "")),
            Text(measured_text(bar)),
            Text(held_text(held=bar.held), style=_STYLES[tone(held=bar.held)]),
        )


def _qualities(report: BenchReport) -> Table:
    table = Table(title="Mean live quality by policy", title_justify="left", box=None, pad_edge=False)
    table.add_column("Scenario")
    names = list(policies_of(report))
    for name in names:
        table.add_column(Text(clean(name)), justify="right")
    for scenario, said in zip(report.scenarios, names_of(report), strict=True):
        means = {policy.name: policy.mean_quality for policy in scenario.policies}
        table.add_row(Text(clean(said)), *(Text(_mean(means, name)) for name in names))
    return table


def _mean(means: dict[str, float | None], name: str) -> str:
    if name not in means:
        return MISSING
    value = means[name]
    return quality(value) if value is not None and finite(value) else NOT_MEASURED
