"""What a terminal shows: the live view while a replay runs, and the report at its end. Foreign texts never become markup."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from daemon.report.model import IncidentReport, ReplayReport
from daemon.report.outcome import leads, mean_quality, outcome
from daemon.report.tables import tone_of
from daemon.report.wording import MISSING, clean, day, duration, number, percent, quality, range_of, short, signed, size, usable

_WEEK_MS = 7 * 86_400_000
_STYLES = {"good": "green", "bad": "red", "unclear": "yellow", "soft": "default"}


class LiveView:
    """Shows how far a replay is: virtual date, requests a second, incidents, which generation serves.

    On a terminal it is a view of two lines that stays in place; elsewhere it is a line a virtual week. A note that is new
    becomes a line of its own in both. Used as a context; `update` may be called as often as the caller likes.

    Parameters:
        console: where to write.
        start_ms: first virtual time of the run.
        end_ms: last one.
    """

    def __init__(self, console: Console, start_ms: int, end_ms: int) -> None:
        self._console = console
        self._start_ms = start_ms
        self._end_ms = max(end_ms, start_ms + 1)
        # The clock of the view is that of rich, which redraws by itself; we only hand it what to draw.
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._week = -1
        self._note = ""

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the terminal as it was."""
        if self._live is not None:
            self._live.stop()

    def update(
        self,
        virtual_ms: int,
        *,
        requests_per_second: float,
        incidents_open: int,
        incidents_total: int,
        generation: int,
        digest: str,
        note: str = "",
    ) -> None:
        """Show where the run is now. `requests_per_second` is by the wall; `note` is anything worth a line."""
        facts = Text.assemble(
            (day(virtual_ms), "bold"),
            f"  {number(round(requests_per_second)):>7} requests/s",
            f"  incidents {incidents_open} open, {incidents_total} in all",
            "  generation ",
            (str(generation), "bold"),
            f" {short(digest)}",
        )
        if note and note != self._note:
            self._note = note
            self._console.print(Text.assemble((day(virtual_ms), "dim"), "  ", clean(note)))
        if self._live is not None:
            done = min(max(virtual_ms, self._start_ms), self._end_ms) - self._start_ms
            bar = ProgressBar(total=self._end_ms - self._start_ms, completed=done)
            self._live.update(Group(facts, bar))
            return
        week = (virtual_ms - self._start_ms) // _WEEK_MS
        if week > self._week:
            self._week = week
            self._console.print(facts, soft_wrap=True)


def print_report(report: ReplayReport, console: Console) -> None:
    """Print the report: outcome, months, incidents a paragraph each, checks."""
    console.print()
    console.print(Text(clean(report.title), style="bold"))
    console.print(Text(_run(report)))
    console.print()
    console.print(_months(report))
    for lead in leads(report):
        bar = "" if lead.bar is None else f" (bar: at least {signed(lead.bar)})"
        console.print(Text(f"Mean {clean(report.metric)} above {clean(lead.slot)}: {signed(lead.difference)}{bar}"))
    console.print()
    for place, incident in enumerate(report.incidents, 1):
        console.print(_incident(incident, place, is_refused=incident.id == report.refused))
        console.print()
    if report.checks:
        console.print(_checks(report))
    if report.delivery is not None:
        said = ", ".join(f"{name} {number(getattr(report.delivery, name))}" for name in report.delivery.__struct_fields__)
        console.print(Text(f"Delivery: {said}"))
    console.print()
    console.print(_outcome(report))


def _run(report: ReplayReport) -> str:
    taken = f"{number(report.rows)} rows in {duration(report.wall_seconds)}, {number(round(report.speed))} times real time"
    memory = "" if report.resources is None else f", peak memory {size(report.resources.peak_memory_bytes)}"
    return f"{clean(report.data)}, {day(report.start_ms)} to {day(report.end_ms)}: {taken}{memory}"


def _months(report: ReplayReport) -> Table:
    table = Table(title=Text(f"{clean(report.metric)} by month, 95 % intervals"), title_justify="left", box=None, pad_edge=False)
    table.add_column("Month")
    table.add_column("Rows", justify="right")
    for slot in report.slots:
        table.add_column(Text(clean(slot.name)), justify="right")
    for month in report.months:
        cells: list[RenderableType] = [Text(clean(month.label)), number(month.rows)]
        for slot in report.slots:
            shown = usable(month.quality.get(slot.name))
            cells.append(MISSING if shown is None else Text.assemble(quality(shown.value), (f"  {range_of(shown)}", "dim")))
        table.add_row(*cells)
    means = mean_quality(report, tuple(slot.name for slot in report.slots))
    table.add_row("Mean", "", *(Text(f"{quality(means[slot.name])}{' ' * 16}") for slot in report.slots), style="bold")
    return table


def _checks(report: ReplayReport) -> Table:
    table = Table(title="Checks", title_justify="left", box=None, pad_edge=False)
    for name in ("Check", "Bar", "Measured", "Held"):
        table.add_column(name)
    for check in report.checks:
        word = "not measured" if check.held is None else "held" if check.held else "not held"
        cells = (Text(clean(text)) for text in (check.name, check.bar, check.measured or MISSING))
        table.add_row(*cells, Text(word, style=_STYLES[tone_of(word)]))
    return table


def _incident(incident: IncidentReport, place: int, *, is_refused: bool) -> Text:
    """Tell an incident in one paragraph; what is absent is left out."""
    closed = "still open" if incident.closed_ms is None else f"closed {day(incident.closed_ms)}"
    said = Text.assemble((f"Incident {place}. {clean(incident.title)}.", "bold"), f" Opened {day(incident.opened_ms)}, {closed}.")
    if is_refused:
        said.append(" Its challenger was bad on purpose.", style="yellow")
    watched = list(dict.fromkeys(clean(item.watched, 60) for event in incident.events for item in event.evidence))
    if watched:
        said.append(f" Moved: {', '.join(watched[:5])}{' and more' if len(watched) > 5 else ''}.")
    if incident.diagnosis:
        best = max(incident.diagnosis, key=lambda cause: cause.probability)
        said.append(f" Diagnosis: {clean(best.cause).replace('_', ' ')} ({percent(best.probability)}), {clean(best.evidence)}.")
    said.append(
        "".join(f" Action: {clean(option.action).replace('_', ' ')}." for option in incident.alternatives if option.chosen)
    )
    accepted = [clean(item.text, 120) for item in incident.features if item.accepted]
    if accepted:
        said.append(f" New features: {'; '.join(accepted[:4])}.")
    return _proof(incident, said)


def _proof(incident: IncidentReport, said: Text) -> Text:
    for name, found in (("sealed window", incident.comparison), ("live", incident.live_comparison)):
        if found is not None:
            ends = range_of(found.difference, with_sign=True)
            numbers = f"{signed(found.difference.value)} ({ends}) on {number(found.rows)} rows"
            said.append(f" {clean(found.metric)} against the champion, {name}: {numbers}.")
    against = [
        f"{clean(gate.claim).replace('_', ' ')} {clean(gate.verdict)}"
        for gate in incident.gates
        if tone_of(gate.verdict) != "good"
    ]
    if against:
        said.append(f" Gates: {', '.join(against)}.", style="red")
    if incident.verdict:
        said.append(f" Verdict: {clean(incident.verdict)}.", style=_STYLES[tone_of(incident.verdict.split(":")[0])])
    if incident.lesson:
        said.append(f" Lesson: {clean(incident.lesson)}", style="italic")
    return said


def _outcome(report: ReplayReport) -> Text:
    said = outcome(report)
    head = ("The loop closed: ", "bold green") if said.is_closed else ("The loop did not close: ", "bold red")
    return Text.assemble(head, "; ".join(clean(reason) for reason in said.reasons))
