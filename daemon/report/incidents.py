"""One incident as a section: what happened, why, what was open to do, what was done, how it was proven, what was learned."""

from __future__ import annotations

from daemon.report.axes import Scale
from daemon.report.evidence import evidence, watched
from daemon.report.markup import Content, Markup, element
from daemon.report.model import IncidentReport, ReplayReport, Step
from daemon.report.outcome import refused_incident
from daemon.report.plots import CELL_WIDTH, bar_cell, cell_axis
from daemon.report.tables import Cell, folded, table, tag, tone_of
from daemon.report.trials import candidates, comparisons, gates
from daemon.report.wording import MISSING, clean, day, duration, finite, moment, number, percent, short

_EVENTS = 10


def incident_section(incident: IncidentReport, place: int, *, is_refused: bool) -> Markup:
    """Write the whole incident; `place` counts from 1 and is what the plot and the links call it."""
    lasted = "still open" if incident.closed_ms is None else f"to {day(incident.closed_ms)}"
    head = element(
        "header",
        element("h3", f"{place}. {incident.title}"),
        element(
            "p",
            tag(incident.state),
            " ",
            f"{day(incident.opened_ms)} {lasted} · ",
            element("code", clean(incident.id, 40)),
            class_="small",
        ),
        element("p", element("strong", "This challenger was bad on purpose."), class_="bad") if is_refused else None,
    )
    parts: list[Content] = [
        _part("What happened", _course(incident)),
        _part("Evidence", evidence(incident)),
        _part("Diagnosis", _diagnosis(incident)),
        _part("What could be done", _alternatives(incident)),
        _part("Plan", _plan(incident)),
        _part("Features that were tried", candidates(incident.features)),
        _part("Champion against challenger", comparisons(incident)),
        _part("Gates", gates(incident.gates)),
        _part("Verdict", _said(incident.verdict)),
        _part("Swap", _deployments(incident)),
        _part("Lesson", _said(incident.lesson)),
    ]
    return element("section", head, parts, class_="incident refused" if is_refused else "incident", id=f"incident-{place}")


def incident_list(report: ReplayReport) -> Markup:
    """List all incidents in a line each, then each in full."""
    if not report.incidents:
        return element("section", element("h2", "Incidents"), element("p", "None: nothing drifted enough to act on."))
    rows = [
        (
            element("a", f"{place}. {incident.title}", href=f"#incident-{place}"),
            Cell(day(incident.opened_ms), "nowrap"),
            _likeliest(incident),
            _chosen(incident),
            Cell(incident.verdict or tag(incident.state), "wide"),
        )
        for place, incident in enumerate(report.incidents, 1)
    ]
    head = ("Incident", "Opened", "Diagnosis", "Action", "Verdict")
    sections = [
        incident_section(incident, place, is_refused=incident.id == report.refused)
        for place, incident in enumerate(report.incidents, 1)
    ]
    return element("section", element("h2", "Incidents"), table("All incidents", head, rows), sections)


def refused_section(report: ReplayReport) -> Markup | None:
    """Highlight the challenger that was bad on purpose and why it was refused."""
    incident = refused_incident(report)
    if incident is None:
        return None
    place = report.incidents.index(incident) + 1
    broken = tuple(gate for gate in incident.gates if tone_of(gate.verdict) != "good")
    body: list[Content] = [
        element("p", "This challenger was made worse on purpose, to see that it does not get through."),
        element("p", element("strong", "Verdict: "), incident.verdict or "none yet"),
        comparisons(incident),
        gates(broken),
        element("p", element("a", f"Incident {place} in full", href=f"#incident-{place}")),
    ]
    return element("section", element("h2", "The challenger that was refused"), element("div", body, class_="incident refused"))


def _part(title: str, content: Content) -> Content:
    return None if content is None else [element("h4", title), content]


def _said(text: str) -> Markup | None:
    return element("p", text) if text else None


def _course(incident: IncidentReport) -> Content:
    steps: list[tuple[int, Content]] = [
        (
            event.time_ms,
            [tag(event.transition), f" {event.kind.replace('_', ' ')} by {event.detector}: {watched(event.evidence)}"],
        )
        for event in incident.events
    ]
    steps += [
        (item.time_ms, [tag(item.what), f" generation {item.generation}, bundle ", element("code", short(item.digest))])
        for item in incident.deployments
    ]
    steps.append((incident.opened_ms, "Incident opened."))
    if incident.closed_ms is not None:
        ended = "." if incident.state == "closed" else f": {incident.state.replace('_', ' ')}."
        steps.append((incident.closed_ms, f"Incident closed{ended}"))
    steps.sort(key=lambda step: step[0])
    lines = [element("li", element("time", moment(time)), element("span", said)) for time, said in steps]
    shown = element("ol", lines[:_EVENTS], class_="course")
    if len(lines) <= _EVENTS:
        return shown
    return [shown, folded(f"{len(lines) - _EVENTS} more", element("ol", lines[_EVENTS:], class_="course"))]


def _diagnosis(incident: IncidentReport) -> Markup | None:
    if not incident.diagnosis:
        return None
    scale = Scale(0.0, 1.0, 2.0, CELL_WIDTH - 2.0)
    causes = sorted(incident.diagnosis, key=lambda cause: -cause.probability)
    rows = [
        (
            cause.cause.replace("_", " "),
            Cell(percent(cause.probability), "number"),
            Cell(bar_cell(cause.probability, scale, is_strong=place == 0), "drawn"),
            Cell(cause.evidence, "wide"),
        )
        for place, cause in enumerate(causes)
    ]
    return table("Causes and their probability", ("Cause", Cell("Probability", "number"), Cell("", "drawn"), "Evidence"), rows)


def _alternatives(incident: IncidentReport) -> Markup | None:
    if not incident.alternatives:
        return None
    options = sorted(incident.alternatives, key=lambda option: -option.utility)
    utilities = [option.utility for option in options if finite(option.utility)]
    scale = Scale(min([0.0, *utilities]), max([0.0, *utilities]), 4.0, CELL_WIDTH - 4.0)
    rows = [
        (
            [option.action.replace("_", " "), element("strong", " ← chosen") if option.chosen else None],
            Cell(number(option.utility), "number"),
            Cell(bar_cell(option.utility, scale, is_strong=option.chosen), "drawn"),
            Cell(option.reason, "wide"),
        )
        for option in options
    ]
    head = ("Action", Cell("Utility", "number"), Cell(cell_axis(scale) if utilities else "", "drawn"), "Why")
    return table(
        "Actions by utility; doing nothing is one of them",
        head,
        rows,
        classes=["chosen" if option.chosen else "" for option in options],
    )


def _plan(incident: IncidentReport) -> Content:
    if incident.plan is None:
        return None
    plan = incident.plan
    rows = [_step(step, place) for place, step in enumerate(plan.steps, 1)]
    head = ("Step", "State", Cell("Wall time", "number"), "Result")
    said = element("p", "Plan ", element("code", short(plan.digest)), f" by the planner {plan.planner}.", class_="small")
    return [said, table("Steps of the plan", head, rows) if rows else None]


def _step(step: Step, place: int) -> tuple[Content | Cell, ...]:
    return f"{place}. {step.skill}", tag(step.state), Cell(duration(step.seconds), "number"), Cell(step.summary, "wide")


def _deployments(incident: IncidentReport) -> Markup | None:
    if not incident.deployments:
        return None
    rows = [
        (
            Cell(moment(item.time_ms), "nowrap"),
            tag(item.what),
            Cell(number(item.generation), "number"),
            element("code", short(item.digest)),
            Cell(item.reason, "wide"),
        )
        for item in incident.deployments
    ]
    return table("What was deployed", ("Time", "What", Cell("Generation", "number"), "Bundle", "Why"), rows)


def _likeliest(incident: IncidentReport) -> str:
    best = max(incident.diagnosis, key=lambda cause: cause.probability, default=None)
    return MISSING if best is None else f"{best.cause.replace('_', ' ')} ({percent(best.probability)})"


def _chosen(incident: IncidentReport) -> str:
    return next((option.action.replace("_", " ") for option in incident.alternatives if option.chosen), MISSING)
