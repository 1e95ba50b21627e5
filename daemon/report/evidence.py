"""What made an incident: the tests that fired, the strongest of them drawn before and after."""

from __future__ import annotations

from collections.abc import Mapping

from daemon.report.markup import Content, Markup, element
from daemon.report.model import IncidentReport
from daemon.report.plots import moved
from daemon.report.tables import Cell, folded, table
from daemon.report.wording import MISSING, clean, finite, moment, number, p_value
from streams.contracts.events import Evidence

_FIGURES = 6
_ROWS = 40


def watched(evidence: tuple[Evidence, ...]) -> str:
    """Name what an event watched."""
    names = list(dict.fromkeys(item.watched for item in evidence))
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "") or "no single column"


def evidence(incident: IncidentReport) -> Content:
    """Draw the strongest statement about each thing watched, and list all of them."""
    every = [(event.time_ms, item) for event in incident.events for item in event.evidence]
    if not every:
        return None
    best: dict[str, Evidence] = {}
    for _, item in every:
        held = best.get(item.watched)
        if held is None or (item.p_value, -abs(item.effect)) < (held.p_value, -abs(held.effect)):
            best[item.watched] = item
    drawn = [
        (item, picture) for item in sorted(best.values(), key=lambda item: item.p_value) if (picture := moved(item)) is not None
    ]
    figures = [element("figure", _figure_head(item), picture) for item, picture in drawn[:_FIGURES]]
    rows = [
        (
            Cell(moment(time), "nowrap"),
            item.watched,
            item.method,
            Cell(p_value(item.p_value), "number"),
            Cell(_effect(item), "number"),
            Cell(numbers(item.before), "small wide"),
            Cell(numbers(item.after), "small wide"),
        )
        for time, item in every[:_ROWS]
    ]
    head = ("Time", "Watched", "Method", Cell("p, corrected", "number"), Cell("Effect", "number"), "Before", "After")
    more = f" (the first {_ROWS} of {len(every)})" if len(every) > _ROWS else ""
    return [
        element("p", "Hollow: before. Filled: after.", class_="soft small") if figures else None,
        element("div", figures, class_="evidence") if figures else None,
        folded(f"All tests that fired{more}", table("Tests that fired", head, rows), is_open=not figures),
    ]


def _figure_head(item: Evidence) -> Markup:
    return element(
        "figcaption", element("strong", item.watched), f" · {item.method}, p {_relation(item.p_value)}, {_effect(item)}"
    )


def _relation(value: float) -> str:
    said = p_value(value)
    return said if said.startswith("<") else f"= {said}"


def _effect(item: Evidence) -> str:
    return f"{number(item.effect)} {item.effect_unit}" if finite(item.effect) else MISSING


def numbers(values: Mapping[str, float]) -> str:
    """Write named numbers in a line."""
    return ", ".join(f"{clean(name, 40)} {number(value)}" for name, value in list(values.items())[:12]) or MISSING
