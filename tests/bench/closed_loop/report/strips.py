"""What stands beneath a scenario's plot: a lane of promotions a policy, and driftwake's incidents as numbered bars."""

from __future__ import annotations

from collections.abc import Mapping

from daemon.report.axes import Scale
from daemon.report.markup import Content, Markup, element
from daemon.report.wording import clean, day
from tests.bench.closed_loop.report.model import OURS, IncidentResult, ScenarioResult
from tests.bench.closed_loop.report.sheet import colour_of
from tests.bench.closed_loop.report.words import plural

_LANE = 14.0
_INCIDENT_LANE = 17.0
_INCIDENT_LANES = 4


def promotion_strip(
    scenario: ScenarioResult, places: Mapping[str, int], across: Scale, top: float, *, is_wide: bool
) -> tuple[Content, float]:
    """Draw each policy's promotions as ticks in a lane of its own, and return how far down that went.

    A narrow drawing has no room for the lanes' names, so it shows none: the numbers stand in the table.
    """
    if not is_wide:
        return None, top
    content: list[Content] = []
    found = [policy for policy in scenario.policies if policy.promotions]
    for lane, policy in enumerate(sorted(found, key=lambda item: places.get(item.name, 0))):
        middle = top + (lane + 0.5) * _LANE
        colour = colour_of(policy.name, places)
        marks = [
            element("line", x1=(x := across.at(one.time_ms)), x2=x, y1=middle - 4, y2=middle + 4, class_=f"promoted {colour}")
            for one in policy.promotions
        ]
        said = f"{clean(policy.name, 14)}, {plural(len(policy.promotions), 'swap')}"
        content.append(
            element(
                "g",
                element("title", f"{policy.name}: {plural(len(policy.promotions), 'promotion')}"),
                element("line", x1=across.start, x2=across.end, y1=middle, y2=middle, class_="lane"),
                marks,
                element("text", said, x=across.end + 8, y=middle + 4, class_="axis"),
            )
        )
    return content, top + len(found) * _LANE + 6


def incident_strip(scenario: ScenarioResult, across: Scale, top: float, *, name_at: float | None) -> tuple[Content, float]:
    """Draw the incidents in as few lanes as hold them apart, and return how far down that went.

    What doesn't fit shares the last lane. `name_at` is where the strip's name stands, None for nowhere.
    """
    free = [across.start - 100.0] * _INCIDENT_LANES
    used = 0
    content: list[Content] = []
    for number, incident in enumerate(scenario.incidents, 1):
        start = min(across.at(incident.opened_ms), across.end - 16)
        end = max(start + 16, across.at(scenario.end_ms if incident.closed_ms is None else incident.closed_ms))
        lane = next((place for place, until in enumerate(free) if until + 2 <= start), _INCIDENT_LANES - 1)
        free[lane] = max(free[lane], end)
        used = max(used, lane + 1)
        content.append(_incident(incident, number, start, end, top + lane * _INCIDENT_LANE))
    if used and name_at is not None:
        content.append(element("text", f"{OURS}'s incidents", x=name_at, y=top + 11, class_="axis"))
    return content, top + used * _INCIDENT_LANE


def _incident(incident: IncidentResult, number: int, start: float, end: float, y: float) -> Markup:
    closed = "still open" if incident.closed_ms is None else f"to {day(incident.closed_ms)}"
    cause = incident.cause.replace("_", " ") or "no cause named"
    return element(
        "g",
        element("title", f"Incident {number}: {cause}, {incident.state}. {day(incident.opened_ms)} {closed}"),
        element("rect", x=start, y=y, width=end - start, height=14, rx=2, class_="incident-bar"),
        element("text", number, x=start + 4, y=y + 11, class_="incident-number"),
    )
