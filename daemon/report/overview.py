"""The sections about the whole run: outcome, quality over time, months, checks, delivery, tests side by side, resources."""

from __future__ import annotations

from daemon.report.markup import Markup, element
from daemon.report.model import ReplayReport
from daemon.report.outcome import outcome, own_swaps
from daemon.report.tables import Cell, held_tag, table
from daemon.report.wording import MISSING, day, duration, number, size


def summary(report: ReplayReport) -> Markup:
    """Say first whether the loop closed and why, then what was run."""
    said = outcome(report)
    head = "✓ The loop closed." if said.is_closed else "✗ The loop did not close."
    return element(
        "header",
        element("h1", report.title),
        element("p", f"{report.data}, {day(report.start_ms)} to {day(report.end_ms)}. All times are UTC.", class_="soft"),
        element(
            "div",
            element("strong", head),
            element("ul", [element("li", reason) for reason in said.reasons]),
            class_="outcome good" if said.is_closed else "outcome bad",
        ),
        element(
            "dl", [element("div", element("dt", name), element("dd", value)) for name, value in _facts(report)], class_="facts"
        ),
    )


def checks(report: ReplayReport) -> Markup:
    """List each bar, what was measured and whether it held."""
    rows = [
        (check.name, Cell(check.bar, "wide"), Cell(check.measured or MISSING, "wide"), Cell(held_tag(held=check.held), "nowrap"))
        for check in report.checks
    ]
    body = (
        table("Bars that this run had to reach", ("Check", "Bar", "Measured", "Held"), rows)
        if rows
        else element("p", "Nothing was checked.")
    )
    return element("section", element("h2", "Checks"), body)


def delivery(report: ReplayReport) -> Markup | None:
    """Prove from the topics' own counts that no request was lost or answered twice."""
    counted = report.delivery
    if counted is None:
        return None
    names = ("requests", "predictions", "quarantined", "missing", "doubled")
    row = ("Records", *(Cell(number(getattr(counted, name)), "number") for name in names), held_tag(held=counted.is_complete))
    return element(
        "section",
        element("h2", "Delivery"),
        element(
            "p",
            "Each source position must have exactly one prediction or one quarantine entry. Counted from the topics.",
        ),
        table(
            "Source records and what became of them",
            ("", *(Cell(name.capitalize(), "number") for name in names), "Exactly once"),
            [row],
        ),
    )


def closing(report: ReplayReport) -> Markup:
    """Close with the lessons and what the run took."""
    lessons = (
        element("ul", [element("li", lesson) for lesson in report.lessons])
        if report.lessons
        else element("p", "None were written.")
    )
    taken = [("Wall time", duration(report.wall_seconds)), ("driftwake", report.version)]
    if report.resources is not None:
        taken += [
            ("Peak memory, all processes", size(report.resources.peak_memory_bytes)),
            ("Processes", number(report.resources.processes)),
        ]
    facts = element("dl", [element("div", element("dt", name), element("dd", value)) for name, value in taken], class_="facts")
    return element("section", element("h2", "Lessons"), lessons, element("h2", "Resources"), facts)


def _facts(report: ReplayReport) -> list[tuple[str, str]]:
    found = [
        ("Rows", number(report.rows)),
        ("Virtual time", duration((report.end_ms - report.start_ms) / 1_000)),
        ("Wall time", duration(report.wall_seconds)),
        ("Speed, \N{MULTIPLICATION SIGN} real time", number(round(report.speed))),
        ("Incidents", number(len(report.incidents))),
        ("Swaps", number(own_swaps(report))),
    ]
    if report.resources is not None:
        found.append(("Peak memory", size(report.resources.peak_memory_bytes)))
    return found
