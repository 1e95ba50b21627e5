"""The bars that a run has to reach, each with what was measured. What could not be measured never counts as held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Incident
from daemon.report.collect_quality import Paired, Served, paired
from daemon.report.collect_swaps import Reign
from daemon.report.model import Check, Resources
from daemon.report.wording import duration, number, range_of, signed, size
from streams.contracts.features import Window
from streams.contracts.schema import Task


class Limits(NamedTuple):
    """The bars that are numbers."""

    most_promotions: int
    peak_memory_bytes: int
    minutes: float


def few_promotions(promotions: Sequence[Reign], most: int) -> Check:
    """Count how often a challenger took over."""
    count = len(promotions)
    return Check(name="Few promotions", bar=f"at most {most}", measured=f"{count} promotions", held=count <= most)


def no_harm(promotions: Sequence[Reign], served: Served, task: Task) -> Check:
    """Compare each promoted bundle with the one that it replaced, over all that was served until the next change."""
    found = [(one, paired(served, task, served.rows(one.start_ms, one.end_ms), one.digest, one.previous)) for one in promotions]
    worse = [pair.difference.high < 0 if pair.difference is not None else None for _, pair in found]
    return Check(
        name="No promotion that later labels show to be worse",
        bar="no 95 % interval of new minus replaced lies below zero",
        measured="; ".join(_said(reign, pair) for reign, pair in found) or "no promotions",
        held=False if True in worse else None if None in worse else True,
    )


def own_feature(promotions: Sequence[Reign], proposed: Mapping[str, str], windows: Mapping[str, Sequence[Window]]) -> Check:
    """Look for a promoted bundle with a window that a search of ours accepted; `proposed` maps its name to the incident."""
    found = [
        f"generation {one.generation}: {window.text}"
        for one in promotions
        for window in windows.get(one.digest, ())
        if window.name in proposed
    ]
    return Check(
        name="A feature of its own",
        bar="at least one promoted bundle holds a window that the system proposed",
        measured="; ".join(dict.fromkeys(found)) or "none",
        held=bool(found),
    )


def bad_one_refused(refused: str, incidents: Mapping[str, Incident]) -> Check:
    """Look at how the incident of the deliberately bad challenger ended."""
    incident = incidents.get(refused)
    return Check(
        name="The challenger that is bad on purpose is refused",
        bar="its incident ends as refused",
        measured=f"{incident.state}: {incident.reason}" if incident is not None else "no such incident",
        held=incident.state == "refused" if incident is not None else None,
    )


def whole_audit(ledger: Ledger) -> Check:
    """Verify the audit from its first record to its last."""
    fault = ledger.verify()
    said = f"{number(ledger.head().number)} records, whole" if fault is None else f"record {fault.number} is {fault.problem}"
    return Check(name="Audit", bar="no record altered, removed or reordered", measured=said, held=fault is None)


def in_time(wall_seconds: float, minutes: float) -> Check:
    """Hold the wall time against its bar."""
    is_held = wall_seconds <= minutes * 60 if wall_seconds > 0 else None
    return Check(name="Wall time", bar=f"at most {duration(minutes * 60)}", measured=duration(wall_seconds), held=is_held)


def in_memory(resources: Resources | None, most_bytes: int) -> Check:
    """Hold the peak memory of all processes against its bar."""
    peak = resources.peak_memory_bytes if resources is not None else None
    return Check(
        name="Peak memory, all processes",
        bar=f"at most {size(most_bytes)}",
        measured="" if peak is None else size(peak),
        held=None if peak is None else peak <= most_bytes,
    )


def _said(reign: Reign, pair: Paired) -> str:
    name = f"generation {reign.generation}"
    if pair.difference is None:
        return f"{name}: not measured ({number(pair.rows)} rows scored by both)"
    return f"{name}: {signed(pair.difference.value)} ({range_of(pair.difference, with_sign=True)}) on {number(pair.rows)} rows"
