"""One scenario's section: what was expected and said, the plot, the numbers of all policies, bars, incidents, the run."""

from __future__ import annotations

from daemon.report.markup import Content, Markup, element
from daemon.report.tables import Cell, folded, table, tag
from daemon.report.wording import MISSING, day, duration, finite, moment, number, quality, short
from tests.bench.closed_loop.report.costs import cost_plot
from tests.bench.closed_loop.report.model import OURS, Judgement, ScenarioResult
from tests.bench.closed_loop.report.overview import bar_table, swatch
from tests.bench.closed_loop.report.tally import bars_of, counted
from tests.bench.closed_loop.report.timeline import NARROW, WIDE, timeline
from tests.bench.closed_loop.report.words import (
    NOT_MEASURED,
    accepted_text,
    judged_tag,
    judgement_tag,
    listed,
    metric_text,
    plural,
    value_text,
)

_SHOWN = 8


def story(scenario: ScenarioResult, name: str, place: int, places: dict[str, int]) -> Markup:
    """Tell one scenario. `place` numbers it on the page, `places` numbers the policies."""
    return element(
        "section",
        element(
            "header",
            element("h3", f"{name}: {scenario.title}"),
            _verdict(scenario),
            element("p", f"{scenario.data}, {day(scenario.start_ms)} to {day(scenario.end_ms)}", class_="soft small"),
        ),
        element("div", element("strong", "✗ Did not run to its end"), element("p", scenario.failed), class_="outcome bad")
        if scenario.failed is not None
        else None,
        _plot(scenario, places),
        element("div", _judgements(scenario), _bars(scenario), class_="pair-of-tables"),
        _policies(scenario),
        cost_plot(scenario, places) if scenario.failed is None else None,
        _incidents(scenario),
        _periods(scenario),
        _run(scenario),
        class_="scenario",
        id=f"scenario-{place + 1}",
    )


def _verdict(scenario: ScenarioResult) -> Content:
    if scenario.failed is not None:
        return judged_tag("did not run", held=False)
    found = counted(bars_of(scenario))
    if not sum(found):
        return element("span", "no bars", class_="tag")
    held = False if found.missed else None if found.not_measured else True
    return judged_tag(found.text if held is not True else f"{plural(found.held, 'bar')} held", held=held)


def _plot(scenario: ScenarioResult, places: dict[str, int]) -> Content:
    wide = timeline(scenario, places, WIDE)
    if wide is None:
        return element("p", f"Quality over time: {NOT_MEASURED}.", class_="soft")
    keys = [element("li", swatch(policy.name, places), policy.name) for policy in scenario.policies]
    marks = [
        "Dotted upright lines: driftwake promoted a bundle." if _promotes(scenario) else "",
        "Shaded: " + "; ".join(_span(one.what, one.start_ms, one.end_ms) for one in scenario.injected) + "."
        if scenario.injected
        else "",
    ]
    return [
        element("ul", keys, class_="legend"),
        element(
            "figure",
            element("div", wide, class_="wide-only"),
            element("div", timeline(scenario, places, NARROW), class_="narrow"),
            element("figcaption", " ".join(mark for mark in marks if mark)) if any(marks) else None,
        ),
    ]


def _span(what: str, start_ms: int, end_ms: int) -> str:
    return f"{what}, {day(start_ms)} to {day(end_ms)}"


def _promotes(scenario: ScenarioResult) -> bool:
    return any(policy.promotions for policy in scenario.policies if policy.name == OURS)


def _judgements(scenario: ScenarioResult) -> Markup:
    rows = [_judgement("Diagnosis", scenario.diagnosis), _judgement("Action", scenario.action)]
    caption = f"What {OURS} said and did, and what the scenario accepts"
    return table(caption, ("", "Accepted", "Said or done", "Forbidden", "Verdict"), rows)


def _judgement(name: str, found: Judgement) -> tuple[Content | Cell, ...]:
    said = NOT_MEASURED if found.is_right is None else listed(found.said)
    verdict = Cell(judgement_tag(found), "nowrap")
    return name, accepted_text(found), said, listed(found.forbidden), verdict


def _bars(scenario: ScenarioResult) -> Content:
    bars = bars_of(scenario)
    return bar_table(bars, "Bars of this scenario") if bars else element("p", "This scenario has no bars.", class_="soft")


def _policies(scenario: ScenarioResult) -> Markup | None:
    """Compare the policies in numbers: one row a metric, one column a policy."""
    if not scenario.policies:
        return None
    found = scenario.policies
    rows: list[tuple[Content | Cell, ...]] = [
        (f"mean {scenario.quality_metric}", *(Cell(_mean(policy.mean_quality), "number") for policy in found)),
    ]
    counts = {"retrains": [policy.retrains for policy in found], "promotions": [len(policy.promotions) for policy in found]}
    # A metric of the same name is the one that bars are held against; it is shown instead.
    rows += [
        (name, *(Cell(number(count), "number") for count in shown))
        for name, shown in counts.items()
        if name not in scenario.values
    ]
    for metric, values in sorted(scenario.values.items()):
        cells = (
            Cell(value_text(metric, values[policy.name]) if policy.name in values else MISSING, "number") for policy in found
        )
        rows.append((metric_text(metric), *cells))
    head = ("Metric", *(Cell(policy.name, "number") for policy in found))
    return table(f"All policies in numbers; {MISSING} where a metric doesn't apply", head, rows)


def _mean(value: float | None) -> str:
    return quality(value) if value is not None and finite(value) else NOT_MEASURED


def _incidents(scenario: ScenarioResult) -> Content:
    if not scenario.incidents:
        return element("p", "No incident was opened.", class_="soft small")
    rows = [
        (
            f"{place}",
            Cell(moment(incident.opened_ms), "nowrap"),
            Cell(MISSING if incident.closed_ms is None else moment(incident.closed_ms), "nowrap"),
            incident.cause.replace("_", " ") or "none named",
            incident.action.replace("_", " ") or "none taken",
            Cell(tag(incident.state), "nowrap"),
        )
        for place, incident in enumerate(scenario.incidents, 1)
    ]
    found = table(f"Incidents of {OURS}", ("Incident", "Opened", "Closed", "Cause", "Action", "State"), rows)
    return found if len(rows) <= _SHOWN else folded(f"All {number(len(rows))} incidents", found)


def _periods(scenario: ScenarioResult) -> Markup | None:
    """Fold the plot's numbers under a line: one row a period, one column a policy, and the promotions."""
    labels = {period.start_ms: period.label for policy in scenario.policies for period in policy.quality}
    if not labels:
        return None
    measured = {(policy.name, one.start_ms): _mean(one.value) for policy in scenario.policies for one in policy.quality}
    names = [policy.name for policy in scenario.policies]
    rows = [
        (label, *(Cell(measured.get((name, start_ms), NOT_MEASURED), "number") for name in names))
        for start_ms, label in sorted(labels.items())
    ]
    head = ("Period", *(Cell(name, "number") for name in names))
    return folded(
        "Numbers of the plot and all promotions",
        table(scenario.quality_metric, head, rows),
        _promotions(scenario),
    )


def _promotions(scenario: ScenarioResult) -> Markup | None:
    found = sorted(
        ((one, policy.name) for policy in scenario.policies for one in policy.promotions), key=lambda item: item[0].time_ms
    )
    if not found:
        return None
    rows = [
        (
            Cell(moment(one.time_ms), "nowrap"),
            name,
            Cell(number(one.generation), "number"),
            element("code", short(one.digest)) if one.digest else MISSING,
            one.why or MISSING,
        )
        for one, name in found
    ]
    return table("Promotions", ("Time", "Policy", Cell("Generation", "number"), "Bundle", "Why"), rows)


def _run(scenario: ScenarioResult) -> Markup:
    facts: list[tuple[str, Content]] = [("Seed", str(scenario.seed))]
    if scenario.log_digest:
        facts.append(("Event log", element("code", short(scenario.log_digest))))
    if scenario.pace is not None:
        pace = scenario.pace
        facts += [
            ("Wall time", duration(pace.wall_seconds)),
            ("Events", number(pace.events)),
            ("Events a second", _whole(pace.events_per_second)),
            ("\N{MULTIPLICATION SIGN} real time", _whole(pace.virtual_to_wall)),
            ("p99 latency before swaps", _milliseconds(pace.p99_before_ms)),
            ("p99 latency during swaps", _milliseconds(pace.p99_during_ms)),
        ]
    return folded(
        "The run",
        element("dl", [element("div", element("dt", name), element("dd", said)) for name, said in facts], class_="facts"),
    )


def _milliseconds(value: float | None) -> str:
    return f"{number(round(value))} ms" if value is not None and finite(value) else NOT_MEASURED


def _whole(value: float | None) -> str:
    return number(round(value)) if value is not None and finite(value) else NOT_MEASURED
