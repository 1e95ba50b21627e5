"""The bench's report as one page: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from daemon.report.markup import element, raw
from tests.bench.closed_loop.report.costs import cost_totals
from tests.bench.closed_loop.report.matrix import bars_matrix, quality_matrix
from tests.bench.closed_loop.report.model import BenchReport
from tests.bench.closed_loop.report.overview import glossary, policies, suite_bars, summary
from tests.bench.closed_loop.report.sheet import SHEET
from tests.bench.closed_loop.report.story import story
from tests.bench.closed_loop.report.tally import policies_of
from tests.bench.closed_loop.report.words import names_of


def render(report: BenchReport) -> str:
    """Write the page. Every text of the report is escaped, whatever it holds."""
    # Nothing may be loaded or run, even if a text got through where it should not.
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", report.title),
        element("style", raw(SHEET)),
    )
    names = names_of(report)
    places = {name: place for place, name in enumerate(policies_of(report))}
    none = element("p", "No scenario was run.", class_="soft")
    body = element(
        "main",
        summary(report, names),
        suite_bars(report),
        element("section", element("h2", "Bars by scenario"), bars_matrix(report, names) if names else none),
        policies(report),
        element("section", element("h2", "Quality by policy"), quality_matrix(report, names)) if places else None,
        element("section", element("h2", "Costs"), costs) if (costs := cost_totals(report)) is not None else None,
        element(
            "section",
            element("h2", "Scenarios"),
            [story(scenario, names[place], place, places) for place, scenario in enumerate(report.scenarios)],
        )
        if names
        else None,
        glossary(report),
    )
    return "<!DOCTYPE html>\n" + element("html", head, element("body", body), lang="en")
