"""The plot of one scenario: a line a policy, what was done to the stream behind them, promotions and incidents beneath."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from daemon.report.axes import Scale, covering, ticks, time_ticks
from daemon.report.markup import Content, Markup, element
from daemon.report.wording import clean, day, finite, quality
from tests.bench.closed_loop.report.model import OURS, PolicyResult, ScenarioResult
from tests.bench.closed_loop.report.sheet import colour_of
from tests.bench.closed_loop.report.strips import incident_strip, promotion_strip

_LINE = 14.0
_LETTER = 6.3


class Frame(NamedTuple):
    """The room of one drawing, in its own units; the page scales it to its width. `height` is where the axis of time lies."""

    width: int
    height: int
    left: int
    right: int
    top: int
    is_wide: bool

    @property
    def ends(self) -> tuple[float, float]:
        """Where the plot begins and ends, left to right."""
        return self.left, self.width - self.right


class Point(NamedTuple):
    """One period's quality, drawn at the period's middle."""

    label: str
    time_ms: int
    value: float


WIDE = Frame(width=1_160, height=250, left=48, right=150, top=46, is_wide=True)
NARROW = Frame(width=380, height=220, left=44, right=10, top=46, is_wide=False)


def timeline(scenario: ScenarioResult, places: Mapping[str, int], frame: Frame) -> Markup | None:
    """Draw quality over time; None when no policy's quality was measured. `places` numbers the policies of the page."""
    drawn = [(policy, runs) for policy in scenario.policies if (runs := _runs(scenario, policy))]
    if not drawn:
        return None
    across = Scale(scenario.start_ms, scenario.end_ms, *frame.ends)
    up = _upward([point.value for _, runs in drawn for run in runs for point in run], frame)
    promoted, bottom = promotion_strip(scenario, places, across, frame.height + 24.0, is_wide=frame.is_wide)
    incidents, bottom = incident_strip(
        scenario, across, bottom, name_at=frame.width - frame.right + 8.0 if frame.is_wide else None
    )
    content: list[Content] = [
        element("title", f"{scenario.id}: {scenario.quality_metric} over time"),
        element("desc", f"{day(scenario.start_ms)} to {day(scenario.end_ms)}; the numbers are in the tables below."),
        _injected(scenario, across, frame),
        _grid(scenario, across, up, frame),
        _onset(scenario, across, frame),
        _other_onsets(scenario, across, frame),
        _swaps(scenario, across, frame),
        [_line(policy, runs, colour_of(policy.name, places), across, up) for policy, runs in reversed(drawn)],
        _names(drawn, places, up, frame) if frame.is_wide else None,
        promoted,
        incidents,
    ]
    return element("svg", *content, viewBox=f"0 0 {frame.width} {bottom + 4:.0f}", role="img", class_="plot")


def _upward(values: Sequence[float], frame: Frame) -> Scale:
    """Make the scale of quality. Shares of one get a tenth at least, so that noise doesn't look like an event."""
    if all(0 <= value <= 1 for value in values):
        middle = min(0.95, max(0.05, (min(values) + max(values)) / 2))
        values = [*values, middle - 0.05, middle + 0.05]
    return covering(values, frame.height, frame.top)


def _runs(scenario: ScenarioResult, policy: PolicyResult) -> list[list[Point]]:
    """Cut a policy's line where a period wasn't measured."""
    runs: list[list[Point]] = [[]]
    ends = [period.start_ms for period in policy.quality[1:]] + [scenario.end_ms]
    for period, end_ms in zip(policy.quality, ends, strict=False):
        if period.value is not None and finite(period.value):
            runs[-1].append(Point(period.label, (period.start_ms + end_ms) // 2, float(period.value)))
        else:
            runs.append([])
    return [run for run in runs if run]


def _line(policy: PolicyResult, runs: list[list[Point]], colour: str, across: Scale, up: Scale) -> Content:
    shapes: list[Content] = [
        element(
            "polyline",
            points=" ".join(f"{across.at(point.time_ms):.1f},{up.at(point.value):.1f}" for point in run),
            class_=f"line {colour}",
        )
        for run in runs
        if len(run) > 1
    ]
    radius = 2.6 if policy.name == OURS else 1.8
    shapes += [
        element(
            "circle",
            element("title", f"{policy.name}, {point.label}: {quality(point.value)}"),
            cx=across.at(point.time_ms),
            cy=up.at(point.value),
            r=radius if len(run) > 1 else 3.5,
            class_=f"dot {colour}",
        )
        for run in runs
        for point in run
    ]
    return shapes


def _grid(scenario: ScenarioResult, across: Scale, up: Scale, frame: Frame) -> Content:
    left, right = frame.ends
    content: list[Content] = [element("text", scenario.quality_metric, x=left, y=11, class_="axis", text_anchor="start")]
    for value, text in ticks(up, 5 if frame.is_wide else 4):
        y = up.at(value)
        content.append(element("line", x1=left, x2=right, y1=y, y2=y, class_="grid"))
        content.append(element("text", text, x=left - 7, y=y + 4, class_="axis", text_anchor="end"))
    for time, text in time_ticks(scenario.start_ms, scenario.end_ms, 12 if frame.is_wide else 4):
        x = across.at(time)
        content.append(element("line", x1=x, x2=x, y1=frame.height, y2=frame.height + 5, class_="tick"))
        if x + len(text) * _LETTER < frame.width:
            content.append(element("text", text, x=x + 3, y=frame.height + 16, class_="axis", text_anchor="start"))
    content.append(element("line", x1=left, x2=right, y1=frame.height, y2=frame.height, class_="tick"))
    return content


def _injected(scenario: ScenarioResult, across: Scale, frame: Frame) -> Content:
    """Shade what was done to the stream. Names that would overlap are left to the pointer and to the text beneath."""
    content: list[Content] = []
    busy_until = 0.0
    for one in sorted(scenario.injected, key=lambda item: item.start_ms):
        start, end = sorted((across.at(one.start_ms), across.at(one.end_ms)))
        said = clean(one.what, 60)
        shape = element(
            "rect",
            x=start,
            y=frame.top - 12,
            width=max(end - start, 2.0),
            height=frame.height - frame.top + 12,
            class_="injected",
        )
        edges = [element("line", x1=x, x2=x, y1=frame.top - 12, y2=frame.height, class_="injected-edge") for x in (start, end)]
        begin = min(start + 2, frame.width - len(said) * _LETTER)
        label: Content = None
        if begin >= busy_until:
            label = element("text", said, x=begin, y=frame.top - 17, class_="happened")
            busy_until = begin + (len(said) + 2) * _LETTER
        content.append(
            element("g", element("title", f"{one.what}: {day(one.start_ms)} to {day(one.end_ms)}"), shape, edges, label)
        )
    return content


def _onset(scenario: ScenarioResult, across: Scale, frame: Frame) -> Content:
    if scenario.onset_ms is None or not scenario.start_ms <= scenario.onset_ms <= scenario.end_ms:
        return None
    x = across.at(scenario.onset_ms)
    shape = element("line", x1=x, x2=x, y1=frame.top - 12, y2=frame.height, class_="onset")
    has_room = x - frame.left > len("onset") * _LETTER + 8
    name = element(
        "text",
        "onset",
        x=x - 4 if has_room else x + 4,
        y=frame.height - 6,
        class_="onset-name",
        text_anchor="end" if has_room else "start",
    )
    return element("g", element("title", f"The change begins {day(scenario.onset_ms)}"), shape, name)


def _other_onsets(scenario: ScenarioResult, across: Scale, frame: Frame) -> Content:
    """Mark where something else begins by lines without a name."""
    inside = [one for one in scenario.other_onsets_ms if scenario.start_ms <= one <= scenario.end_ms]
    return [
        element(
            "g",
            element("title", f"Something else begins {day(one)}"),
            element("line", x1=(x := across.at(one)), x2=x, y1=frame.top - 12, y2=frame.height, class_="onset other"),
        )
        for one in inside
    ]


def _swaps(scenario: ScenarioResult, across: Scale, frame: Frame) -> Content:
    """Mark driftwake's promotions by named lines over the whole height."""
    content: list[Content] = []
    busy_until = 0.0
    found = [one for policy in scenario.policies if policy.name == OURS for one in policy.promotions]
    for one in sorted(found, key=lambda item: item.time_ms):
        x = across.at(one.time_ms)
        label: Content = None
        if x - 18 >= busy_until:
            label = element("text", f"gen {one.generation}", x=x, y=frame.top - 3, class_="swapped c0", text_anchor="middle")
            busy_until = x + 24
        said = f"{day(one.time_ms)}: driftwake serves generation {one.generation}. {one.why}"
        shape = element("line", x1=x, x2=x, y1=frame.top, y2=frame.height, class_="swap c0")
        content.append(element("g", element("title", said), shape, label))
    return content


def _names(
    drawn: Sequence[tuple[PolicyResult, list[list[Point]]]], places: Mapping[str, int], up: Scale, frame: Frame
) -> Content:
    """Name the lines at their right ends, pushed apart where they would overlap and kept above the axis where they fit."""
    wanted = sorted(((up.at(runs[-1][-1].value), policy.name) for policy, runs in drawn), key=lambda item: item[0])
    heights = [height for height, _ in wanted]
    for above, below in pairwise(range(len(heights))):
        heights[below] = max(heights[below], heights[above] + _LINE)
    lowest = float(frame.height) - 2
    for place in reversed(range(len(heights))):
        heights[place] = max(_LINE, min(heights[place], lowest))
        lowest = heights[place] - _LINE
    return [
        element("text", clean(name, 21), x=frame.width - frame.right + 8, y=height + 4, class_=f"named {colour_of(name, places)}")
        for height, (_, name) in zip(heights, wanted, strict=True)
    ]
