"""All tools in one table, and whether driftwake holds against the best of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from scipy import stats

from tests.bench.monitors.rivals.exchange import Asked, Told
from tests.bench.monitors.rivals.scoring import ASKED, HOLDS, Delays, delays

OWN = "driftwake"
DEFAULT, EQUAL = "default", "equal"
_NEAR = 2.0
"""So many times the rate that was asked for a tool may alarm by chance and still compete."""

screen = Console(width=150)


class Line(NamedTuple):
    """What one tool made of one change, by default or at the equal rate."""

    tool: str
    at: str
    alarms: int
    months: float
    delays: Delays
    streams: int

    @property
    def competes(self) -> bool:
        """Whether it doesn't alarm by chance over twice as often as asked; of a rate that was set, this must be certain."""
        rate = self.alarms / self.months if self.at == DEFAULT else _interval(self.alarms, self.months)[0]
        return rate <= _NEAR * ASKED


class Row(NamedTuple):
    """A change in a world, what was made of it, and how driftwake stands."""

    world: str
    change: str
    lines: list[Line]
    holds: bool
    is_best: bool


def rows_of(world: Told, found: Sequence[Asked]) -> list[Row]:
    """Compare all tools on each change of a world."""
    rows = []
    for change, _ in world.changes:
        lines = [line for one in found if one.world == world.name for line in _lines(one, change, world.horizon)]
        own = next(line for line in lines if line.tool == OWN)
        others = [line.delays.mean for line in lines if line.tool != OWN and line.competes]
        best = min(others, default=float("inf"))
        rows.append(Row(world.name, change, lines, own.delays.mean <= HOLDS * best, own.delays.mean <= best))
    return rows


def show(rows: Sequence[Row]) -> int:
    """Print the table and return how many rows driftwake doesn't hold."""
    table = Table("change", "tool", "at", "false alarms a month", "streams", "found", "mean buckets", "")
    for row in rows:
        best = min((line.delays.mean for line in row.lines if line.competes), default=float("nan"))
        table.add_row(f"[bold]{row.world}: {row.change}[/bold]", "", "", "", "", "", "", "held" if row.holds else "MISSED")
        for line in sorted(row.lines, key=lambda one: (one.delays.mean, one.tool != OWN)):
            low, high = _interval(line.alarms, line.months)
            table.add_row(
                "", line.tool, line.at,
                f"{line.alarms / line.months:.2f} ({low:.2f} to {high:.2f})", str(line.streams), f"{line.delays.found:.0%}",
                f"{line.delays.mean:.1f} ± {line.delays.error:.1f}",
                "best" if line.competes and line.delays.mean <= best else "" if line.competes else "out of competition",
            )  # fmt: skip
        table.add_section()
    screen.print(table)
    missed = sum(not row.holds for row in rows)
    screen.print(
        "Mean buckets of 100 rows until the change is found, ± its standard error; where it isn't found, the horizon counts. "
        f"Equal: set to {ASKED:g} false alarms a month of 720 buckets on a calm stream; the rate beside it is another stream's, "
        "with its 95 % interval. Driftwake's is its default, in which a bucket that isn't overwhelming needs a second. "
        f"Tools that alarm by chance over {_NEAR:g} times as often don't compete."
    )
    screen.print(f"held {len(rows) - missed} of {len(rows)}, best on {sum(row.is_best for row in rows)}")
    return missed


def _lines(one: Asked, change: str, horizon: int) -> list[Line]:
    names = (DEFAULT,) if one.tool == OWN else (DEFAULT, EQUAL)
    return [
        Line(one.tool, at, one.alarms[number], one.months[number], delays(found[change], horizon), len(found[change]))
        for number, (at, found) in enumerate(zip(names, one.delays, strict=False))
        if change in found
    ]


def _interval(alarms: int, months: float) -> tuple[float, float]:
    """Return the 95 % interval of a rate: Garwood, F. (1936), "Fiducial limits for the Poisson distribution"."""
    low = stats.chi2.ppf(0.025, 2 * alarms) / 2 if alarms else 0.0
    return float(low / months), float(stats.chi2.ppf(0.975, 2 * alarms + 2) / 2 / months)
