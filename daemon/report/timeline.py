"""The plot of quality over time: a line and a band a slot, the swaps above it, the incidents below it."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from daemon.report.axes import Scale, covering, ticks, time_ticks
from daemon.report.markup import Content, Markup, element
from daemon.report.model import IncidentReport, Period, ReplayReport, Swap
from daemon.report.plots import COLOURS
from daemon.report.wording import day, quality, range_of, short, usable

_LANES = 4
_LANE = 17.0


class Frame(NamedTuple):
    """The room of one drawing, in its own units; the page scales it to its width."""

    width: int
    height: int
    left: int
    right: int
    top: int
    labels: bool

    @property
    def ends(self) -> tuple[float, float]:
        """Where the plot begins and ends, left to right."""
        return self.left, self.width - self.right


WIDE = Frame(width=1_040, height=340, left=48, right=158, top=34, labels=True)
NARROW = Frame(width=380, height=270, left=44, right=10, top=32, labels=False)


def timeline(report: ReplayReport, frame: Frame) -> Markup:
    """Draw quality over time. Weeks are drawn where there are any, months otherwise."""
    across = Scale(report.start_ms, report.end_ms, *frame.ends)
    periods = report.weeks or report.months
    up = _quality_scale(report, periods, frame)
    lanes, count = _lanes(report, across, frame)
    height = frame.height + 34 + max(1, count) * _LANE
    content: list[Content] = [
        element("title", f"{report.metric} over time"),
        element(
            "desc",
            f"{len(report.slots)} slots, {day(report.start_ms)} to {day(report.end_ms)}; the numbers are in the table below.",
        ),
        _grid(report, across, up, frame),
        _swaps(report, across, frame),
        [_band(report, periods, place, across, up) for place in range(len(report.slots))],
        [_line(report, periods, place, across, up) for place in reversed(range(len(report.slots)))],
        _names(report, periods, up, frame) if frame.labels else None,
        lanes,
    ]
    return element("svg", *content, viewBox=f"0 0 {frame.width} {height:.0f}", role="img", class_="plot")


def _quality_scale(report: ReplayReport, periods: tuple[Period, ...], frame: Frame) -> Scale:
    found = [usable(period.quality.get(slot.name)) for period in periods for slot in report.slots]
    values = [interval.value for interval in found if interval is not None]
    # Intervals of thin weeks would flatten the lines; they are cut at a third of the lines' own range.
    air = (max(values) - min(values)) / 3 if values else 0.0
    ends = [max(interval.low, min(values) - air) for interval in found if interval is not None]
    ends += [min(interval.high, max(values) + air) for interval in found if interval is not None]
    return covering([*values, *ends], frame.height, frame.top, pad=0.03)


def _middle(report: ReplayReport, periods: tuple[Period, ...], place: int) -> int:
    after = periods[place + 1].start_ms if place + 1 < len(periods) else report.end_ms
    return (periods[place].start_ms + after) // 2


def _runs(report: ReplayReport, periods: tuple[Period, ...], slot: int) -> list[list[tuple[int, float, float, float]]]:
    """Cut a slot's measurements where one is missing: lists of (middle of the period, value, low, high)."""
    runs: list[list[tuple[int, float, float, float]]] = [[]]
    for place, period in enumerate(periods):
        interval = usable(period.quality.get(report.slots[slot].name))
        if interval is None:
            runs.append([])
        else:
            runs[-1].append((_middle(report, periods, place), interval.value, interval.low, interval.high))
    return [run for run in runs if run]


def _band(report: ReplayReport, periods: tuple[Period, ...], slot: int, across: Scale, up: Scale) -> Content:
    shapes = []
    for run in _runs(report, periods, slot):
        edge = [(time, high) for time, _, _, high in run] + [(time, low) for time, _, low, _ in reversed(run)]
        shapes.append(element("polygon", points=_points(edge, across, up), class_=f"band c{slot % COLOURS}"))
    return shapes


def _line(report: ReplayReport, periods: tuple[Period, ...], slot: int, across: Scale, up: Scale) -> Content:
    shapes = []
    for run in _runs(report, periods, slot):
        points = _points([(time, value) for time, value, _, _ in run], across, up)
        shapes.append(element("polyline", points=points, class_=f"line c{slot % COLOURS}"))
    name = report.slots[slot].name
    dots = [
        element(
            "circle",
            element("title", f"{name}, {period.label}: {quality(interval.value)} ({range_of(interval)})"),
            cx=across.at(_middle(report, periods, place)),
            cy=up.at(interval.value),
            r=2.6 if slot == 0 else 2.0,
            class_=f"dot c{slot % COLOURS}",
        )
        for place, period in enumerate(periods)
        if (interval := usable(period.quality.get(name))) is not None
    ]
    return [shapes, dots]


def _points(pairs: list[tuple[int, float]], across: Scale, up: Scale) -> str:
    return " ".join(f"{across.at(time):.1f},{up.at(value):.1f}" for time, value in pairs)


def _grid(report: ReplayReport, across: Scale, up: Scale, frame: Frame) -> Content:
    left, right = frame.ends
    content: list[Content] = [element("text", report.metric, x=left, y=12, class_="axis", text_anchor="start")]
    for value, text in ticks(up, 6 if frame.labels else 4):
        y = up.at(value)
        content.append(element("line", x1=left, x2=right, y1=y, y2=y, class_="grid"))
        content.append(element("text", text, x=left - 7, y=y + 4, class_="axis", text_anchor="end"))
    for time, text in time_ticks(report.start_ms, report.end_ms, 12 if frame.labels else 4):
        x = across.at(time)
        content.append(element("line", x1=x, x2=x, y1=frame.height, y2=frame.height + 5, class_="tick"))
        content.append(element("text", text, x=x + 3, y=frame.height + 16, class_="axis", text_anchor="start"))
    content.append(element("line", x1=left, x2=right, y1=frame.height, y2=frame.height, class_="tick"))
    return content


def _swaps(report: ReplayReport, across: Scale, frame: Frame) -> Content:
    """Mark the first slot's swaps by named lines over the whole height, the other slots' by ticks at the foot."""
    names = [slot.name for slot in report.slots]
    content: list[Content] = []
    busy_until = 0.0
    for swap in sorted(report.swaps, key=lambda item: item.time_ms):
        if swap.slot not in names or swap.time_ms <= report.start_ms:
            continue
        place, x = names.index(swap.slot), across.at(swap.time_ms)
        top = frame.top - 10 if place == 0 else frame.height - 7
        bottom = frame.height if place == 0 else frame.height + 1
        shape = element("line", x1=x, x2=x, y1=top, y2=bottom, class_=f"{'swap' if place == 0 else 'foot'} c{place % COLOURS}")
        label: Content = None
        if place == 0 and x - 16 >= busy_until:
            label = element(
                "text", f"gen {swap.generation}", x=x, y=frame.top - 14, class_=f"swapped c{place}", text_anchor="middle"
            )
            busy_until = x + 26
        content.append(element("g", element("title", _swap_text(swap)), shape, label))
    return content


def _swap_text(swap: Swap) -> str:
    return f"{day(swap.time_ms)}: {swap.slot} serves generation {swap.generation} ({short(swap.digest)}). {swap.reason}"


def _names(report: ReplayReport, periods: tuple[Period, ...], up: Scale, frame: Frame) -> Content:
    """Name the lines at their right ends, pushed apart where they would overlap."""
    wanted = []
    for place, slot in enumerate(report.slots):
        runs = _runs(report, periods, place)
        if runs:
            wanted.append((up.at(runs[-1][-1][1]), place, slot.name))
    wanted.sort()
    heights = [height for height, _, _ in wanted]
    for above, below in pairwise(range(len(heights))):
        heights[below] = max(heights[below], heights[above] + 15)
    return [
        element(
            "text",
            name if len(name) <= 22 else name[:21] + "…",
            x=frame.width - frame.right + 8,
            y=height + 4,
            class_=f"named c{place % COLOURS}",
        )
        for height, (_, place, name) in zip(heights, wanted, strict=True)
    ]


def _lanes(report: ReplayReport, across: Scale, frame: Frame) -> tuple[Content, int]:
    """Draw the incidents as bars under the axis, in as few lanes as hold them apart; what doesn't fit shares the last lane."""
    free = [frame.left - 100.0] * _LANES
    used = 0
    content: list[Content] = []
    top = frame.height + 28
    for place, incident in enumerate(report.incidents):
        start = across.at(incident.opened_ms)
        end = max(start + 16, across.at(report.end_ms if incident.closed_ms is None else incident.closed_ms))
        lane = next((number for number, until in enumerate(free) if until + 2 <= start), _LANES - 1)
        free[lane] = max(free[lane], end)
        used = max(used, lane + 1)
        content.append(
            _incident_bar(incident, place + 1, start, end, top + lane * _LANE, is_refused=incident.id == report.refused)
        )
    if frame.labels:
        content.append(element("text", "incidents", x=frame.width - frame.right + 8, y=top + 12, class_="axis"))
    return content, used


def _incident_bar(incident: IncidentReport, place: int, start: float, end: float, y: float, *, is_refused: bool) -> Markup:
    closed = "open" if incident.closed_ms is None else f"to {day(incident.closed_ms)}"
    return element(
        "a",
        element("title", f"Incident {place}: {incident.title}. {day(incident.opened_ms)} {closed}"),
        element(
            "rect",
            x=start,
            y=y,
            width=end - start,
            height=14,
            rx=2,
            class_="incident-bar refused" if is_refused else "incident-bar",
        ),
        element("text", place, x=start + 4, y=y + 11, class_="incident-number"),
        href=f"#incident-{place}",
    )
