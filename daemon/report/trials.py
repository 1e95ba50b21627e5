"""How a challenger came to be and was proven: features with their gains, the comparison with the champion, the gates."""

from __future__ import annotations

from daemon.report.evidence import numbers
from daemon.report.markup import Content, Markup
from daemon.report.model import Candidate, Comparison, Gate, IncidentReport
from daemon.report.tables import Cell, Differences, table, tag
from daemon.report.wording import finite, number, quality

_ROWS = 40


def comparisons(incident: IncidentReport) -> Markup | None:
    """Compare champion and challenger on the sealed window and, where it ran, live in shadow, against zero."""
    named = (("Sealed window, no search saw it", incident.comparison), ("Live, in shadow", incident.live_comparison))
    found: list[tuple[str, Comparison]] = [(name, item) for name, item in named if item is not None]
    if not found:
        return None
    column = Differences([item.difference for _, item in found])
    rows = [
        (
            name,
            item.metric,
            Cell(number(item.rows), "number"),
            Cell(quality(item.champion), "number"),
            Cell(quality(item.challenger), "number"),
            *column.cells(item.difference),
        )
        for name, item in found
    ]
    titles = (Cell("Rows", "number"), Cell("Champion", "number"), Cell("Challenger", "number"), *column.head("Difference"))
    return table(
        "Challenger minus champion on the same rows, 95 % intervals; right of the dashed line is better",
        ("Rows from", "Metric", *titles),
        rows,
    )


def gates(found: tuple[Gate, ...]) -> Markup | None:
    """List the claims the challenger had to prove."""
    if not found:
        return None
    rows = [
        (gate.claim.replace("_", " "), tag(gate.verdict), Cell(gate.reason, "wide"), Cell(numbers(gate.numbers), "small"))
        for gate in found
    ]
    return table("What had to be proven", ("Claim", "Verdict", "Why", "Numbers"), rows)


def candidates(found: tuple[Candidate, ...]) -> Content:
    """List the features that were proposed, those that were taken first, with their gains against zero."""
    if not found:
        return None
    column = Differences([item.gain for item in found])
    ranked = sorted(found, key=lambda item: (not item.accepted, -_gain(item)))
    rows = [
        (
            Cell(item.text, "wide"),
            tag("accepted" if item.accepted else "refused"),
            *column.cells(item.gain),
            Cell(item.reason, "wide"),
        )
        for item in ranked[:_ROWS]
    ]
    caption = "Gain of each proposed feature in the search, 95 % intervals"
    if len(ranked) > _ROWS:
        caption += f" (the first {_ROWS} of {len(ranked)})"
    return table(caption, ("Feature", "", *column.head("Gain"), "Why"), rows)


def _gain(item: Candidate) -> float:
    return item.gain.value if item.gain is not None and finite(item.gain.value) else -1.0
