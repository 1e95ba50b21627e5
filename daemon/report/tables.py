"""Parts that all sections of the page are made of: tables, tags, folded numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from daemon.report.axes import Scale
from daemon.report.markup import Content, Markup, element
from daemon.report.plots import cell_axis, cell_scale, interval_cell
from daemon.report.wording import MISSING, quality, range_of, signed, usable
from streams.contracts.bundle import Interval

_GOOD = frozenset({"pass", "passed", "held", "promoted", "done", "finished", "succeeded", "accepted", "cleared", "kept"})
_BAD = frozenset({"fail", "failed", "refused", "rejected", "not held", "lost", "rolled_back", "rolled back", "aborted", "error"})
_UNCLEAR = frozenset({"inconclusive", "not measured", "skipped", "open", "waiting", "suspected"})
_SIGNS = {"good": "✓ ", "bad": "✗ ", "unclear": "? ", "soft": ""}


class Cell(tuple[Content, str]):
    """What stands in a cell and the class of the cell."""

    __slots__ = ()

    def __new__(cls, content: Content, class_: str = "") -> Self:
        """Make a cell from its content and its class."""
        return super().__new__(cls, (content, class_))


Row = Sequence[Content | Cell]


def table(caption: str, head: Row, rows: Sequence[Row], *, foot: Sequence[Row] = (), classes: Sequence[str] = ()) -> Markup:
    """Build a table that scrolls inside itself where the screen is too narrow; the first cell of a row is its name."""
    labels = [_label(cell) for cell in head]
    body = [_row(row, labels, classes[place] if place < len(classes) else "") for place, row in enumerate(rows)]
    whole = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", [_cell("th", cell, scope="col") for cell in head])),
        element("tbody", body),
        element("tfoot", [_row(row, labels) for row in foot]) if foot else None,
    )
    return element("div", whole, class_="scroll", tabindex=0, role="region", aria_label=caption)


def folded(summary: str, *content: Content, is_open: bool = False) -> Markup:
    """Fold content under a line that opens it; it needs no script and prints unfolded."""
    return element("details", element("summary", summary), *content, open="open" if is_open else None)


def tag(word: str) -> Markup:
    """Show a state or verdict with a sign beside its colour, so that colour is never all."""
    tone = tone_of(word)
    return element("span", _SIGNS[tone] + word.replace("_", " "), class_=f"tag {tone}")


def tone_of(word: str) -> str:
    """Return good, bad, unclear or soft (none of them) for a state or verdict."""
    plain = word.strip().lower()
    for tone, words in (("good", _GOOD), ("bad", _BAD), ("unclear", _UNCLEAR)):
        if plain in words:
            return tone
    return "soft"


def held_tag(*, held: bool | None) -> Markup:
    """Show whether a bar was reached."""
    return tag("not measured" if held is None else "held" if held else "not held")


def moment_tag(text: str, iso: str | None = None) -> Markup:
    """Show a time."""
    return element("time", text, datetime=iso)


class Differences:
    """A column pair of differences: drawn against zero on one scale, and in numbers.

    Parameters:
        intervals: all differences of the column, so that they share one scale.
    """

    def __init__(self, intervals: Sequence[Interval | None]) -> None:
        self._scale: Scale = cell_scale(intervals, zero=True)

    def head(self, what: str) -> tuple[Cell, Cell]:
        """Return both head cells."""
        return Cell(what, "number"), Cell(cell_axis(self._scale), "drawn")

    def cells(self, interval: Interval | None) -> tuple[Cell, Cell]:
        """Return both cells of a row."""
        shown = usable(interval)
        if shown is None:
            return Cell(MISSING, "number"), Cell(interval_cell(None, self._scale), "drawn")
        said = [signed(shown.value), element("br"), element("span", range_of(shown, with_sign=True), class_="soft small")]
        return Cell(said, "number"), Cell(interval_cell(shown, self._scale), "drawn")


def measured(interval: Interval | None) -> Content:
    """Write an interval: its value and, smaller, its ends."""
    shown = usable(interval)
    if shown is None:
        return element("span", "not measured", class_="soft small")
    return [quality(shown.value), element("br"), element("span", range_of(shown), class_="soft small")]


def _row(row: Row, labels: Sequence[str | None], class_: str = "") -> Markup:
    cells = [
        _cell("th", row[0], scope="row"),
        *(_cell("td", cell, label=label) for cell, label in zip(row[1:], labels[1:], strict=True)),
    ]
    return element("tr", cells, class_=class_ or None)


def _label(cell: Content | Cell) -> str | None:
    """Return a column's name, which a narrow screen shows before each of its cells."""
    content = cell[0] if isinstance(cell, Cell) else cell
    return content if isinstance(content, str) and content and not isinstance(content, Markup) else None


def _cell(name: str, cell: Content | Cell, *, scope: str | None = None, label: str | None = None) -> Markup:
    content, class_ = cell if isinstance(cell, Cell) else (cell, "")
    return element(name, content, class_=class_ or None, scope=scope, data_label=label)
