"""The sections that compare the slots: quality over time and month by month."""

from __future__ import annotations

from daemon.report.markup import Content, Markup, element
from daemon.report.model import Period, ReplayReport, Slot
from daemon.report.outcome import leads, mean_quality
from daemon.report.plots import COLOURS, cell_axis, cell_scale, intervals_cell
from daemon.report.tables import Cell, folded, held_tag, measured, table
from daemon.report.timeline import NARROW, WIDE, timeline
from daemon.report.wording import MISSING, moment, number, quality, short, signed


def quality_over_time(report: ReplayReport) -> Markup:
    """Draw each slot's quality with swaps and incidents, with the numbers beneath."""
    caption = (
        f"{report.metric} by {'week' if report.weeks else 'month'} with 95 % intervals. Vertical lines: {_first(report)} swapped "
        "its bundle; ticks at the foot: another slot did. Bars beneath: incidents, each leads to its section."
    )
    drawn = [
        element("div", timeline(report, WIDE), class_="wide-only"),
        element("div", timeline(report, NARROW), class_="narrow"),
    ]
    return element(
        "section",
        element("h2", f"{report.metric} over time"),
        element("ul", [_key(place, slot) for place, slot in enumerate(report.slots)], class_="legend"),
        element("figure", drawn, element("figcaption", caption)),
        folded("The numbers of this plot", _plain(report, report.weeks or report.months)),
        _swap_table(report) if report.swaps else None,
    )


def months(report: ReplayReport) -> Markup:
    """Compare the slots month by month: value, interval, and a bar on one scale."""
    intervals = [month.quality.get(slot.name) for month in report.months for slot in report.slots]
    scale = cell_scale(intervals, zero=False)
    names = [slot.name for slot in report.slots]
    figures = [Cell(text, "number") for text in ("Rows", "Positive", *names)]
    rows = [
        (
            month.label,
            Cell(number(month.rows), "number"),
            Cell(number(month.positives), "number"),
            *(Cell(measured(month.quality.get(name)), "number") for name in names),
            Cell(intervals_cell([(name, month.quality.get(name)) for name in names], scale), "drawn"),
        )
        for month in report.months
    ]
    head = ("Month", *figures, Cell(cell_axis(scale), "drawn"))
    caption = f"{report.metric} by month with 95 % intervals; in the drawing from above: {', '.join(names)}"
    return element(
        "section",
        element("h2", "Month by month"),
        table(caption, head, rows, foot=[_means(report)] if rows else ())
        if rows
        else element("p", "No month was measured.", class_="soft"),
        _lead_table(report),
    )


def _first(report: ReplayReport) -> str:
    return report.slots[0].name if report.slots else "driftwake"


def _key(place: int, slot: Slot) -> Markup:
    colour = f"c{place % COLOURS}"
    line = element("line", x1=0, x2=36, y1=7, y2=7, class_=f"line {colour}")
    swatch = element("svg", line, viewBox="0 0 36 14", aria_hidden="true")
    return element("li", swatch, element("strong", slot.name), " ", element("span", slot.who, class_="soft"))


def _plain(report: ReplayReport, periods: tuple[Period, ...]) -> Markup:
    head = ("From", Cell("Rows", "number"), *(Cell(slot.name, "number") for slot in report.slots))
    rows = [
        (
            period.label,
            Cell(number(period.rows), "number"),
            *(Cell(measured(period.quality.get(slot.name)), "number") for slot in report.slots),
        )
        for period in periods
    ]
    return table(f"{report.metric} with 95 % intervals", head, rows)


def _swap_table(report: ReplayReport) -> Markup:
    rows = [
        (
            Cell(moment(swap.time_ms), "nowrap"),
            swap.slot,
            Cell(number(swap.generation), "number"),
            element("code", short(swap.digest)),
            Cell(
                [
                    swap.reason,
                    [element("br"), element("span", "; ".join(swap.features), class_="soft small")] if swap.features else None,
                ],
                "wide",
            ),
        )
        for swap in report.swaps
    ]
    head = ("Time", "Slot", Cell("Generation", "number"), "Bundle", "Why, and the features it brought")
    return folded(f"All {len(rows)} swaps", table("Swaps of bundles", head, rows))


def _means(report: ReplayReport) -> list[Content | Cell]:
    means = mean_quality(report, tuple(slot.name for slot in report.slots))
    totals = (sum(month.rows for month in report.months), sum(month.positives for month in report.months))
    figures = [*(number(total) for total in totals), *(quality(means[slot.name]) for slot in report.slots)]
    return ["All, mean", *(Cell(text, "number") for text in figures), Cell(None, "drawn")]


def _lead_table(report: ReplayReport) -> Markup | None:
    found = leads(report)
    if not found:
        return None
    rows = [
        (
            f"{_first(report)} above {lead.slot}",
            Cell(signed(lead.difference), "number"),
            Cell(MISSING if lead.bar is None else f"at least {signed(lead.bar)}", "number"),
            MISSING if lead.bar is None else held_tag(held=lead.is_held),
        )
        for lead in found
    ]
    head = ("Comparison", Cell("Difference", "number"), Cell("Bar", "number"), "Held")
    return table(f"Difference of mean monthly {report.metric}", head, rows)
