"""What the whole run comes to: means, differences and whether the loop closed. The page, the terminal and the exit code agree."""

from __future__ import annotations

from typing import NamedTuple

from daemon.report.model import IncidentReport, ReplayReport
from daemon.report.wording import finite, number, signed


class Outcome(NamedTuple):
    """Whether the loop closed, and why, one reason a line."""

    is_closed: bool
    reasons: tuple[str, ...]


class Lead(NamedTuple):
    """How far the first slot's mean quality is above another slot's, against its bar. None: not measured, or no bar."""

    slot: str
    difference: float | None
    bar: float | None

    @property
    def is_held(self) -> bool | None:
        """Whether the bar was reached; None without a bar or a measurement."""
        return None if self.bar is None or self.difference is None else self.difference >= self.bar


def mean_quality(report: ReplayReport, slots: tuple[str, ...]) -> dict[str, float | None]:
    """Return each slot's mean monthly quality over those months in which all of `slots` were measured."""
    rows = []
    for month in report.months:
        found = [month.quality.get(name) for name in slots]
        values = [interval.value for interval in found if interval is not None and finite(interval.value)]
        if len(values) == len(slots):
            rows.append(values)
    return {name: sum(row[place] for row in rows) / len(rows) if rows else None for place, name in enumerate(slots)}


def leads(report: ReplayReport) -> tuple[Lead, ...]:
    """Compare the first slot with each other one over the months that both have."""
    if not report.slots:
        return ()
    ours = report.slots[0].name
    found = []
    for slot in report.slots[1:]:
        means = mean_quality(report, (ours, slot.name))
        here, there = means[ours], means[slot.name]
        found.append(Lead(slot.name, None if here is None or there is None else here - there, slot.bar))
    return tuple(found)


def outcome(report: ReplayReport) -> Outcome:
    """Say whether the loop closed: every check and every bar held, nothing was lost or doubled, and something was checked."""
    against = [
        f"{check.name}: {check.measured or 'not measured'} (bar: {check.bar})" for check in report.checks if not check.held
    ]
    against += [
        f"{report.metric} above {lead.slot}: {'not measured' if lead.difference is None else signed(lead.difference)}"
        f" (bar: at least {signed(lead.bar)})"
        for lead in leads(report)
        if lead.bar is not None and not lead.is_held
    ]
    if report.delivery is None:
        against.append("delivery was not counted")
    elif not report.delivery.is_complete:
        against.append(f"delivery: {number(report.delivery.missing)} missing, {number(report.delivery.doubled)} doubled")
    if not report.checks:
        against.append("nothing was checked")
    return Outcome(not against, tuple(against) or _achieved(report))


def refused_incident(report: ReplayReport) -> IncidentReport | None:
    """Return the incident of the challenger that was bad on purpose, if the report holds it."""
    return next((incident for incident in report.incidents if incident.id == report.refused), None)


def own_swaps(report: ReplayReport) -> int:
    """Count the swaps in the slot that driftwake looks after, its first bundle not counted."""
    ours = report.slots[0].name if report.slots else ""
    return sum(swap.slot == ours and swap.time_ms > report.start_ms for swap in report.swaps)


def _achieved(report: ReplayReport) -> tuple[str, ...]:
    said = [
        f"mean monthly {report.metric} {signed(lead.difference)} above {lead.slot}"
        for lead in leads(report)
        if lead.difference is not None
    ]
    return (*said, f"all {len(report.checks)} checks held", "every request answered exactly once")
