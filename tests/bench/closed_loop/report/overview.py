"""The page's beginning: what the run comes to, what was missed, who was compared, bars over all scenarios."""

from __future__ import annotations

from collections.abc import Sequence

from daemon.report.markup import Markup, element
from daemon.report.tables import Cell, folded, table
from daemon.report.wording import duration, finite, number
from tests.bench.closed_loop.report.model import OURS, Bar, BenchReport
from tests.bench.closed_loop.report.sheet import colour_of
from tests.bench.closed_loop.report.tally import (
    all_bars,
    bars_of,
    counted,
    forbidden_actions,
    policies_of,
    retrains_of,
    right_diagnoses,
)
from tests.bench.closed_loop.report.words import days_text, held_tag, limit_text, measured_text, metric_text
from tests.bench.closed_loop.scenario import METRICS, SUITE_METRICS

_LISTED = 12


def summary(report: BenchReport, names: Sequence[str]) -> Markup:
    """Say first how many bars were held, then which were not."""
    found = counted(all_bars(report))
    failed = [place for place, scenario in enumerate(report.scenarios) if scenario.failed is not None]
    is_good = found.held > 0 and not found.missed and not found.not_measured and not failed
    missed = [element("li", line) for line in _short_of(report, names)]
    return element(
        "header",
        element("h1", report.title),
        element(
            "p", f"Version {report.version}. Every policy saw the same stream, in virtual time; all times are UTC.", class_="soft"
        ),
        element(
            "div",
            element("strong", ("✓ " if is_good else "✗ ") + found.text),
            folded("Which were not held", element("ul", missed), is_open=len(missed) <= _LISTED) if missed else None,
            class_="outcome good" if is_good else "outcome bad",
        ),
        element(
            "dl", [element("div", element("dt", name), element("dd", value)) for name, value in _facts(report)], class_="facts"
        ),
    )


def policies(report: BenchReport) -> Markup | None:
    """Name who was compared, each with its line."""
    found = policies_of(report)
    if not found:
        return None
    places = {name: place for place, name in enumerate(found)}
    keys = [
        element("li", swatch(name, places), element("strong", name), " ", element("span", who, class_="soft"))
        for name, who in found.items()
    ]
    return element("section", element("h2", "Policies"), element("ul", keys, class_="legend"))


def suite_bars(report: BenchReport) -> Markup | None:
    """List the bars over all scenarios together."""
    if not report.bars:
        return None
    return element("section", element("h2", "Over all scenarios"), bar_table(report.bars, "Bars over all scenarios together"))


def glossary(report: BenchReport) -> Markup | None:
    """Say what the metrics of this report are."""
    found = {bar.metric for bar in all_bars(report)}.union(*(scenario.values for scenario in report.scenarios))
    known = METRICS | SUITE_METRICS
    rows = [(metric_text(metric), Cell(known[metric], "wide")) for metric in sorted(found) if metric in known]
    if not rows:
        return None
    return element("section", element("h2", "Metrics"), table("What the metrics measure", ("Metric", "Meaning"), rows))


def bar_table(bars: Sequence[Bar], caption: str) -> Markup:
    """List bars: what was asked, what was measured, how it ended."""
    rows = [
        (
            metric_text(bar.metric),
            bar.policy,
            Cell(
                [limit_text(bar), element("span", f", {days}", class_="soft small") if (days := days_text(bar)) else None],
                "nowrap",
            ),
            Cell(measured_text(bar), "number"),
            Cell(held_tag(held=bar.held), "nowrap"),
        )
        for bar in bars
    ]
    return table(caption, ("Metric", "Policy", "Bar", Cell("Measured", "number"), "Verdict"), rows)


def swatch(policy: str, places: dict[str, int]) -> Markup:
    """Draw a short piece of a policy's line."""
    line = element("line", x1=0, x2=36, y1=7, y2=7, class_=f"line {colour_of(policy, places)}")
    return element("svg", line, viewBox="0 0 36 14", aria_hidden="true")


def _short_of(report: BenchReport, names: Sequence[str]) -> list[str | list[str | Markup]]:
    lines: list[str | list[str | Markup]] = []
    for place, scenario in enumerate(report.scenarios):
        link = element("a", names[place], href=f"#scenario-{place + 1}")
        if scenario.failed is not None:
            lines.append([link, f", did not run to its end: {scenario.failed}"])
        else:
            lines += [[link, ", ", _said(bar)] for bar in bars_of(scenario) if bar.held is not True]
    return lines + [["all scenarios, ", _said(bar)] for bar in report.bars if bar.held is not True]


def _said(bar: Bar) -> str:
    whose = "" if bar.policy == OURS else f" of {bar.policy}"
    days = days_text(bar)
    asked = f"{limit_text(bar)}{', ' if days else ''}{days}"
    return f"{metric_text(bar.metric)}{whose}: {measured_text(bar)} (bar: {asked})"


def _facts(report: BenchReport) -> list[tuple[str, str]]:
    right, judged = right_diagnoses(report)
    ran = sum(scenario.failed is None for scenario in report.scenarios)
    totals = retrains_of(report)
    paces = [scenario.pace for scenario in report.scenarios if scenario.pace is not None]
    wall = [pace.wall_seconds for pace in paces if pace.wall_seconds is not None and finite(pace.wall_seconds)]
    ratios = [pace.virtual_to_wall for pace in paces if pace.virtual_to_wall is not None and finite(pace.virtual_to_wall)]
    facts = [
        ("Scenarios that ran", f"{number(ran)} of {number(len(report.scenarios))}"),
        ("Right diagnoses", f"{number(right)} of {number(judged)}"),
        ("Forbidden actions", number(forbidden_actions(report))),
    ]
    if OURS in totals:
        facts.append((f"Retrains of {OURS}", number(totals[OURS])))
    if paces:
        facts.append(("Events replayed", number(sum(pace.events for pace in paces))))
    if wall:
        facts.append(("Wall time, all scenarios", duration(sum(wall))))
    if ratios:
        facts.append(("Slowest, \N{MULTIPLICATION SIGN} real time", number(round(min(ratios)))))
    return facts
