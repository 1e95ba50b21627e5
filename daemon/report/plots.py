"""Small plots: intervals and bars that stand in a table's cell, what moved in an incident, two tests side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from daemon.report.axes import Scale, covering, ticks
from daemon.report.markup import Content, Markup, element
from daemon.report.wording import clean, finite, number, range_of, usable
from streams.contracts.bundle import Interval
from streams.contracts.events import Evidence

COLOURS = 6
CELL_WIDTH = 200.0
_CELL_HEIGHT = 20.0
_MOVES = 8


def cell_scale(intervals: Sequence[Interval | None], *, zero: bool) -> Scale:
    """Make the scale that all intervals of one table column share; with `zero`, zero is on it."""
    shown = [interval for interval in map(usable, intervals) if interval is not None]
    ends = [end for interval in shown for end in (interval.low, interval.high)]
    return covering([*ends, 0.0] if zero and ends else ends, 5.0, CELL_WIDTH - 5.0)


def cell_axis(scale: Scale) -> Markup:
    """Draw a column's axis for its head."""
    content: list[Content] = []
    for value, text in ticks(scale, 3):
        x = scale.at(value)
        # A text at the very edge would be cut.
        room = min(max(x, 14.0), CELL_WIDTH - 14.0)
        content.append(element("text", text, x=room, y=11, class_="axis", text_anchor="middle"))
        content.append(element("line", x1=x, x2=x, y1=14, y2=_CELL_HEIGHT, class_="tick"))
    return _cell(content, "axis")


def interval_cell(interval: Interval | None, scale: Scale) -> Markup:
    """Draw a difference against zero, coloured by the side of zero that it is on."""
    shown = usable(interval)
    x = scale.at(0.0)
    zero = element("line", x1=x, x2=x, y1=0, y2=_CELL_HEIGHT, class_="zero")
    if shown is None:
        return _cell(zero, "not measured")
    return _cell([zero, _whisker(shown, scale, _CELL_HEIGHT / 2, _side(shown))], range_of(shown, with_sign=True))


def intervals_cell(named: Sequence[tuple[str, Interval | None]], scale: Scale) -> Markup:
    """Draw one interval under the other, each in the colour of its place."""
    room = 13.0
    content: list[Content] = []
    for value, _ in ticks(scale, 3):
        content.append(element("line", x1=scale.at(value), x2=scale.at(value), y1=0, y2=room * len(named), class_="grid"))
    said = []
    for place, (name, interval) in enumerate(named):
        shown = usable(interval)
        said.append(f"{name} {range_of(shown)}")
        if shown is not None:
            content.append(_whisker(shown, scale, room * (place + 0.5), f"c{place % COLOURS}"))
    return _cell(content, "; ".join(said), room * len(named))


def bar_cell(value: float, scale: Scale, *, is_strong: bool) -> Markup:
    """Draw a bar from zero."""
    start, end = sorted((scale.at(0.0), scale.at(value)))
    bar = element("rect", x=start, y=4, width=max(end - start, 1.0), height=12, class_="bar strong" if is_strong else "bar")
    zero = element("line", x1=scale.at(0.0), x2=scale.at(0.0), y1=0, y2=_CELL_HEIGHT, class_="zero")
    return _cell([bar, zero], number(value))


def moved(evidence: Evidence) -> Markup | None:
    """Draw what a monitored value looked like before (hollow) and after (filled); None when there is nothing to compare."""
    pairs = _pairs(evidence.before, evidence.after)
    if not pairs:
        return None
    width, row, top = 340.0, 19.0, 20.0
    left = min(96.0, 12.0 + 6.5 * max(len(name) for name, _, _ in pairs))
    values = [value for _, before, after in pairs for value in (before, after)]
    is_share = all(0 <= value <= 1 for value in values)
    scale = covering([*values, 0.0] if is_share else values, left + 8, width - 14)
    foot = top + row * len(pairs)
    content: list[Content] = [element("title", f"{evidence.watched}: before and after")]
    for value, text in ticks(scale, 3):
        x = scale.at(value)
        content.append(element("line", x1=x, x2=x, y1=top - 6, y2=foot, class_="grid"))
        content.append(element("text", text, x=x, y=10, class_="axis", text_anchor="middle"))
    for place, (name, before, after) in enumerate(pairs):
        content.append(_move(clean(name, 14), scale.at(before), scale.at(after), top + row * (place + 0.5), left))
    return element("svg", content, viewBox=f"0 0 {width:.0f} {foot + 4:.0f}", role="img", class_="plot moved")


def _whisker(interval: Interval, scale: Scale, middle: float, colour: str) -> Content:
    low, high = scale.at(interval.low), scale.at(interval.high)
    ends = [element("line", x1=x, x2=x, y1=middle - 4, y2=middle + 4, class_=f"whisker {colour}") for x in (low, high)]
    line = element("line", x1=low, x2=high, y1=middle, y2=middle, class_=f"whisker {colour}")
    return [line, ends, element("circle", cx=scale.at(interval.value), cy=middle, r=4, class_=f"point {colour}")]


def _cell(content: Content, said: str, height: float = _CELL_HEIGHT) -> Markup:
    view = f"0 0 {CELL_WIDTH:.0f} {height:.0f}"
    return element("svg", element("title", said), content, viewBox=view, role="img", class_="cell")


def _side(interval: Interval) -> str:
    if interval.low > 0:
        return "good"
    return "bad" if interval.high < 0 else "unclear"


def _pairs(before: Mapping[str, float], after: Mapping[str, float]) -> list[tuple[str, float, float]]:
    """Match both sketches by name, in the order given; of many, those that moved most."""
    found = [
        (name, before[name], after[name]) for name in before if name in after and finite(before[name]) and finite(after[name])
    ]
    if len(found) <= _MOVES:
        return found
    most = {item[0] for item in sorted(found, key=lambda item: -abs(item[2] - item[1]))[:_MOVES]}
    return [item for item in found if item[0] in most]


def _move(name: str, before: float, after: float, y: float, left: float) -> Content:
    return [
        element("text", name, x=left, y=y + 4, class_="axis", text_anchor="end"),
        element("line", x1=before, x2=after, y1=y, y2=y, class_="way"),
        element("circle", cx=before, cy=y, r=4.2, class_="before"),
        element("circle", cx=after, cy=y, r=4.2, class_="after"),
    ]
