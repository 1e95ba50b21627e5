"""A finished replay as a report: from the ledger, the lake and the registry alone, so it can be made again at any time."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from daemon.ledger.ledger import Ledger
from daemon.ledger.records import Incident
from daemon.report import collect_checks as bars
from daemon.report.collect_incidents import incident_report
from daemon.report.collect_quality import Served, Span, metric_text, periods, read_served, weeks
from daemon.report.collect_steps import proposed
from daemon.report.collect_swaps import Reign, reigns, swaps, windows_of
from daemon.report.model import Check, Delivery, ReplayReport, Resources, Slot
from streams.contracts.events import DriftEvent
from streams.contracts.features import Window
from streams.contracts.schema import Task
from streams.inference.store import BundleStore
from streams.lake.lake import Lake

_PAGE = 5_000
_MOST_LESSONS = 1_000


class Collection(NamedTuple):
    """What a report is made of. Times are epoch ms, [start, end) is event time.

    `months` are label, start and end, `slots` the champion's first, then names of shadow slots; `refused` is the incident of
    the challenger that was bad on purpose, None when there was none. `limits` are the bars that are numbers, if there are any.
    """

    title: str
    data: str
    model: str
    ledger: Ledger
    lake: Lake
    store: BundleStore
    start_ms: int
    end_ms: int
    months: Sequence[Span]
    slots: Sequence[Slot]
    wall_seconds: float
    rows: int
    limits: bars.Limits | None = None
    delivery: Delivery | None = None
    resources: Resources | None = None
    refused: str | None = None
    task: Task = "binary"


def collect(request: Collection) -> ReplayReport:
    """Make the report. Takes seconds on a year of outcomes.

    Raises:
        LakeError: there are no outcomes, or they can't be read.
        LedgerError: a plan was altered.
    """
    ledger, names = request.ledger, [slot.name for slot in request.slots]
    served = read_served(request.lake, request.model, request.start_ms, request.end_ms)
    found = reigns(ledger, request.model, served, request.start_ms, request.end_ms)
    windows = {reign.digest: windows_of(request.store, request.model, reign.digest) for reign in found}
    incidents = {str(incident.id): incident for incident in ledger.incidents(request.model)}
    return ReplayReport(
        title=request.title,
        version=importlib.metadata.version("driftwake"),
        data=request.data,
        metric=metric_text(request.task),
        start_ms=request.start_ms,
        end_ms=request.end_ms,
        rows=request.rows,
        wall_seconds=request.wall_seconds,
        slots=tuple(request.slots),
        months=periods(served, request.task, names, request.months),
        weeks=periods(served, request.task, names, weeks(request.start_ms, request.end_ms)),
        swaps=swaps(found, names[0] if names else "", incidents, windows),
        incidents=tuple(incident_report(ledger, incident) for incident in incidents.values()),
        refused=request.refused,
        checks=_checks(request, served, found, incidents, windows),
        delivery=request.delivery,
        resources=request.resources,
        lessons=tuple(lesson.text for lesson in ledger.lessons(request.model, _MOST_LESSONS)),
    )


def _events(ledger: Ledger, model: str) -> Iterator[DriftEvent]:
    after = 0
    while records := ledger.trail(after=after, limit=_PAGE):
        yield from (
            msgspec.convert(record.data, DriftEvent)
            for record in records
            if record.kind == "event.received" and record.model == model
        )
        after = records[-1].number


def _checks(
    request: Collection,
    served: Served,
    found: Sequence[Reign],
    incidents: Mapping[str, Incident],
    windows: Mapping[str, Sequence[Window]],
) -> tuple[Check, ...]:
    promotions = [reign for reign in found if reign.is_promotion]
    own = {one.window.name: incident for incident in incidents for one in proposed(request.ledger.steps(incident), "accepted")}
    checks = [bars.no_harm(promotions, served, request.task), bars.whole_audit(request.ledger)]
    if (limits := request.limits) is not None:
        checks.insert(0, bars.few_promotions(promotions, limits.most_promotions))
        checks.insert(2, bars.own_feature(promotions, own, windows))
        checks += [
            bars.in_time(request.wall_seconds, limits.minutes),
            bars.in_memory(request.resources, limits.peak_memory_bytes),
        ]
    if request.refused is not None:
        checks.insert(-1, bars.bad_one_refused(request.refused, incidents))
    return tuple(checks)
