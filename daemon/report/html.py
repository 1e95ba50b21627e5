"""The report as one page that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from daemon.report.incidents import incident_list, refused_section
from daemon.report.markup import element, raw
from daemon.report.model import ReplayReport
from daemon.report.overview import checks, closing, delivery, summary
from daemon.report.quality import months, quality_over_time
from daemon.report.style import SHEET


def render(report: ReplayReport) -> str:
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
    body = element(
        "main",
        summary(report),
        quality_over_time(report),
        months(report),
        checks(report),
        incident_list(report),
        refused_section(report),
        delivery(report),
        closing(report),
    )
    return "<!DOCTYPE html>\n" + element("html", head, element("body", body), lang="en")
